"""Random loss: each packet of a flow may be lost, at any rate (YouTube, July 2024: NTC8055 #2-#33)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import Share, Span


@dataclass(slots=True)
class Sent:
    """Packets of a flow so far."""

    packets: int = 0


@dataclass(frozen=True, slots=True)
class Loss(Action[Sent]):
    """Lose a share of the packets. The client's rate then depends on its round-trip time, as observed.

    Measured were 45-180 KB/s, median 80 (NTC8055 #2), not a share; whether it was the client's ACKs or
    the server's data that were lost is disputed (NTC8055 #5, #8, #33).
    """

    key: ClassVar[str] = "loss"
    only_in_path: ClassVar[bool] = True

    share: Share = Share(0.07)  # our choice: Reno's steady state is then 80 KB/s at 40 ms
    direction: Literal["both", "up", "down"] = "both"  # our choice
    idle: Span | None = None  # None: the profile's; the flow is free again after this idle time

    def begin(self, ctx: Context[None]) -> Sent:
        """The trigger itself passes and does not count."""
        return Sent()

    def on_packet(self, ctx: Context[Sent]) -> Decision:
        """Pass or lose, by the seed, the flow and the packet's number in it."""
        if self.direction not in ("both", ctx.direction.name.lower()):
            return PASS
        lost = ctx.draw(f"loss {ctx.state.packets}") < self.share
        ctx.state.packets += 1
        return Decision(Verdict.DROP) if lost else PASS

    def needs(self) -> tuple[str, ...]:
        """Its packets."""
        return ("in-path", "down") if self.direction == "down" else ("in-path",)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays lossy."""
        return True
