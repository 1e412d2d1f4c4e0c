"""SNI-II: a few more packets pass, then silence both ways (CP22 Fig. 6)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context, cut_late, residual
from testbed.censor.decision import PASS, Decision, Handover, HandoverKind, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds


@dataclass(frozen=True, slots=True)
class GraceDrop(Action):
    """Let `packets` (inclusive range, drawn per flow, both directions counted) pass, then drop the flow."""

    key: ClassVar[str] = "grace-drop"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.DROP})

    packets: tuple[int, int] = (5, 8)  # CP22 Fig. 6; uniform is our choice
    residual: Seconds | None = None  # None: the profile's, 420 s in 2022 (IMC22q p.7)

    def on_match(self, ctx: Context) -> Decision:
        """Draw how many packets still pass after this one."""
        least, most = self.packets
        ctx.flow.state = least + int(ctx.draw("grace") * (most - least + 1))
        return PASS

    def on_packet(self, ctx: Context) -> Decision:
        """Count down, then drop, and leave the rest to the kernel."""
        left = ctx.flow.state
        if isinstance(left, int) and left > 0:
            ctx.flow.state = left - 1
            return PASS
        handover = Handover(HandoverKind.DROP, self.holds_for(ctx.profile), refresh=False)
        return Decision(Verdict.DROP, handover=handover, rule=ctx.rule)

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return residual(self.residual, self.key, profile)

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """The drop may come before or after the answer has begun."""
        return cut_late(label)
