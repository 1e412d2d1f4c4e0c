"""A policer: packets above the rate are dropped, none is delayed (IMC21 §6.1; SNI-III of 2022)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision
from testbed.censor.handover import Police
from testbed.censor.profile import Profile
from testbed.censor.units import BitsPerSecond, Octets, Span


@dataclass(frozen=True, slots=True)
class Policer(Action[None]):
    """Token buckets, one per direction, for the flow or for all matched flows of one inside host.

    The kernel keeps the buckets; the action only says which flow goes into them.
    """

    key: ClassVar[str] = "police"
    only_in_path: ClassVar[bool] = True

    rate: BitsPerSecond  # of IP packets; 140 kbit/s in 2021 (IMC21 §5: 130-150)
    burst: Octets = Octets(16384)  # CP21: 16 KB in 100 ms, then nothing for 900 ms
    idle: Span | None = None  # None: the profile's; the bucket is forgotten after this much silence
    per: Literal["flow", "host"] = "flow"
    direction: Literal["both", "up", "down"] = "both"

    def on_match(self, ctx: Context[None]) -> Decision:
        """Hand the flow to the kernel's buckets; the trigger itself passes."""
        return self.on_packet(ctx)

    def on_packet(self, ctx: Context[None]) -> Decision:
        """The kernel forgot the flow (idle): hand it over again."""
        rest = self.handovers(ctx.profile)
        return Decision(handover=rest[0]) if rest else PASS

    def needs(self) -> tuple[str, ...]:
        """Its packets."""
        return ("in-path", "down") if self.direction == "down" else ("in-path",)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays policed (IMC21 §6.6: still so after two hours)."""
        return True

    def handovers(self, profile: Profile) -> tuple[Police, ...]:
        """The flow to its buckets."""
        idle = self.holds_for(profile)
        return (Police(self.rate, self.burst, idle, self.per, self.direction),) if idle > 0 else ()

    @property
    def limits_host(self) -> bool:
        """Whether the limit is the host's."""
        return self.per == "host"
