"""Delay: every packet of a flow comes later, none is lost, whatever the load (a shaper's depends on it)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Direction
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds, Span


@dataclass(slots=True)
class Delayed:
    """Packets so far, and when each direction's last one leaves."""

    packets: int = 0
    leaves: dict[Direction, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delay(Action[Delayed]):
    """Hold each packet of a matched flow for a time. Packets of one direction keep their order.

    No source reports it of a Russian box, beside shapers (IMC21 §6.1): for detectors that time round trips.
    """

    key: ClassVar[str] = "delay"
    only_in_path: ClassVar[bool] = True

    by: Span  # of real time, whatever the clock of the censor
    jitter: Seconds = Seconds(0)  # up to so much more, for each packet
    direction: Literal["both", "up", "down"] = "both"
    idle: Span | None = None  # None: the profile's

    def begin(self, ctx: Context[None]) -> Delayed:
        """None yet."""
        return Delayed()

    def on_match(self, ctx: Context[Delayed]) -> Decision:
        """Delay the trigger as well."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[Delayed]) -> Decision:
        """Hold the packet, and never let it pass an earlier one."""
        if self.direction not in ("both", ctx.direction.name.lower()):
            return PASS
        more = ctx.draw(f"delay {ctx.state.packets}") * self.jitter if self.jitter else 0.0
        ctx.state.packets += 1
        leaves = max(ctx.now + (self.by + more) * ctx.time_scale, ctx.state.leaves.get(ctx.direction, 0.0))
        ctx.state.leaves[ctx.direction] = leaves
        return Decision(release_at=leaves) if leaves > ctx.now else PASS

    def needs(self) -> tuple[str, ...]:
        """Its packets."""
        return ("in-path", "down") if self.direction == "down" else ("in-path",)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays delayed."""
        return True
