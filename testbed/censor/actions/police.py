"""A policer: what exceeds the rate vanishes, nothing is delayed (IMC21 §6.1; SNI-III of 2022)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.bucket import TokenBucket
from testbed.censor.decision import PASS, Decision, Direction, Handover, HandoverKind, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import BitsPerSecond, Octets, Seconds


@dataclass(slots=True)
class Buckets:
    """Each direction's bucket, where no kernel keeps them. This is the state of a flow or of a host."""

    by_direction: dict[Direction, TokenBucket] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Police(Action):
    """Token buckets, one per direction, for the flow or for all matched flows of one inside host.

    The kernel keeps the buckets (`hands_over`); the core only says which flow goes into them. Without a
    kernel (`Context.kernel`) the core polices by the same arithmetic.
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
        if not ctx.kernel:
            return PASS
        return Decision(handover=Handover(HandoverKind.POLICE, self.holds_for(ctx.profile)), rule=ctx.rule)

    def on_packet(self, ctx: Context) -> Decision:
        """The kernel forgot the flow (idle): hand it over again. Without a kernel: pass or drop."""
        if ctx.kernel:
            return self.on_match(ctx)
        if self.direction not in ("both", ctx.direction.name.lower()):
            return PASS
        passes = self._bucket(ctx).take(ctx.packet.end, ctx.now)
        return PASS if passes else Decision(Verdict.DROP, rule=ctx.rule)

    def holds_for(self, profile: Profile) -> float:
        """The idle time."""
        return residual(self.idle, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """An active flow stays policed (IMC21 §6.6: still so after two hours)."""
        return True

    @property
    def limits_host(self) -> bool:
        """Whether the limit is the host's."""
        return self.per == "host"

    def _bucket(self, ctx: Context) -> TokenBucket:
        if self.per == "host":
            buckets = ctx.flow.shared.setdefault(f"police {ctx.rule}", Buckets())
        else:
            buckets = ctx.flow.state = ctx.flow.state or Buckets()
        assert isinstance(buckets, Buckets)
        bucket = buckets.by_direction.get(ctx.direction)
        if bucket is None or ctx.now - bucket.seen > self.holds_for(ctx.profile):
            bucket = TokenBucket.full(self.rate, self.burst, ctx.now, ctx.time_scale)
            buckets.by_direction[ctx.direction] = bucket
        return bucket
