"""A policer: what exceeds the rate vanishes, nothing is delayed (IMC21 §6.1; SNI-III of 2022)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import Decision, Handover, HandoverKind
from testbed.censor.profile import Profile
from testbed.censor.units import BitsPerSecond, Octets, Seconds


@dataclass(frozen=True, slots=True)
class Police(Action):
    """Token buckets, one per direction, for the flow or for all matched flows of one inside host.

    The kernel keeps the buckets (`hands_over`); the core only says which flow goes into them.
    """

    key: ClassVar[str] = "police"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.POLICE})

    rate: BitsPerSecond  # of IP packets; 140 kbit/s in 2021 (IMC21 §5: 130-150)
    burst: Octets = Octets(16384)  # CP21: 16 KB in 100 ms, then nothing for 900 ms
    idle: Seconds | None = None  # None: the profile's; the bucket is forgotten after this much silence
    per: Literal["flow", "host"] = "flow"
    direction: Literal["both", "up", "down"] = "both"

    def on_match(self, ctx: Context) -> Decision:
        """Hand the flow to the kernel's buckets; the trigger itself passes."""
        return Decision(handover=Handover(HandoverKind.POLICE, self.holds_for(ctx.profile)), rule=ctx.rule)

    def on_packet(self, ctx: Context) -> Decision:
        """The kernel forgot the flow (idle): hand it over again."""
        return self.on_match(ctx)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays policed (IMC21 §6.6: still so after two hours)."""
        return True
