"""A shaper: a queue that delays what exceeds the rate, and drops only what the queue cannot hold."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import BitsPerSecond, Octets, Span


@dataclass(slots=True)
class Queues:
    """When each direction's queue will be empty, of one flow or of a host's."""

    empty_at: dict[Direction, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape(Action[Queues]):
    """Delay to a rate, per flow or for all matched flows of an inside host (IMC21 §6.1: Tele2-3G uploads)."""

    key: ClassVar[str] = "shape"
    only_in_path: ClassVar[bool] = True

    rate: BitsPerSecond  # of IP packets
    queue: Octets = Octets(65536)  # our choice: about 4 s at 130 kbit/s, as mobile buffers are
    idle: Span | None = None
    per: Literal["flow", "host"] = "flow"
    direction: Literal["both", "up", "down"] = "both"

    def begin(self, ctx: Context[None]) -> Queues:
        """The flow's own queues, or those of its inside host."""
        return ctx.of_host(Queues) if self.per == "host" else Queues()

    def on_match(self, ctx: Context[Queues]) -> Decision:
        """Queue the trigger as well."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[Queues]) -> Decision:
        """Hold the packet until those before it have left at the rate."""
        if self.direction not in ("both", ctx.direction.name.lower()):
            return PASS
        queues = ctx.state
        octets_per_second = self.rate / 8 / ctx.time_scale  # of the censor's clock
        empty_at = max(queues.empty_at.get(ctx.direction, 0.0), ctx.now)
        if (empty_at - ctx.now) * octets_per_second > self.queue:
            return Decision(Verdict.DROP)
        queues.empty_at[ctx.direction] = empty_at + ctx.packet.end / octets_per_second
        return Decision(release_at=queues.empty_at[ctx.direction])

    def needs(self) -> tuple[str, ...]:
        """Its packets."""
        return ("in-path", "down") if self.direction == "down" else ("in-path",)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays shaped."""
        return True

    @property
    def limits_host(self) -> bool:
        """Whether the limit is the host's."""
        return self.per == "host"
