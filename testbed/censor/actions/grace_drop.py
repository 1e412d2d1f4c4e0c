"""SNI-II: a few more packets pass, then none in either direction (CP22 Fig. 6)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from testbed.censor.actions.base import Action, Context, cut_late, residual
from testbed.censor.decision import PASS, Decision, Verdict
from testbed.censor.handover import Drop
from testbed.censor.profile import Profile
from testbed.censor.units import InOrder, PacketCount, Span

_Packets = Annotated[tuple[PacketCount, PacketCount], InOrder()]


@dataclass(slots=True)
class Grace:
    """What a flow may still send."""

    packets: int


@dataclass(frozen=True, slots=True)
class GraceDrop(Action[Grace]):
    """Let `packets` (inclusive range, drawn per flow, both directions counted) pass, then drop the flow."""

    key: ClassVar[str] = "grace-drop"
    only_in_path: ClassVar[bool] = True

    packets: _Packets = (5, 8)  # CP22 Fig. 6; uniform is our choice
    residual: Span | None = None  # None: the profile's, 420 s in 2022 (IMC22q p.7)

    def begin(self, ctx: Context[None]) -> Grace:
        """Draw how many packets still pass after the trigger."""
        least, most = self.packets
        return Grace(least + int(ctx.draw("grace") * (most - least + 1)))

    def on_packet(self, ctx: Context[Grace]) -> Decision:
        """Count down, then drop, and leave the rest to the kernel."""
        if ctx.state.packets > 0:
            ctx.state.packets -= 1
            return PASS
        rest = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, handover=rest[0] if rest else None)

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return residual(self.residual, self.key, profile)

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """The flow for the residual time, counted from the first dropped packet."""
        lasts = self.holds_for(profile)
        return (Drop(lasts),) if lasts > 0 else ()

    def also_seen_as(self, label: str) -> tuple[str, ...]:
        """The drop may come before or after the answer has begun."""
        return cut_late(label)
