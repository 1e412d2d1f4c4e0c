"""Silence: the packet and, for a flow, everything after it in both directions (SNI-IV, QUIC, IP blocking)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import Decision, Handover, HandoverKind, Verdict
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds


@dataclass(frozen=True, slots=True)
class Drop(Action):
    """Drop the trigger; with scope "flow", drop the flow both ways for the residual time.

    Residual times of the boxes of 2022: 40 s for SNI-IV, 420 s for QUIC (IMC22q p.7), the latter
    restarted by every packet (FOCI26q p.3: `refresh`).
    """

    key: ClassVar[str] = "drop"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.DROP})

    scope: Literal["flow", "packet"] = "flow"
    residual: Seconds | None = None  # None: the profile's
    refresh: bool = False

    def on_match(self, ctx: Context) -> Decision:
        """Drop, and leave the rest of the flow to the kernel."""
        if self.scope == "packet":
            return Decision(Verdict.DROP, rule=ctx.rule)
        handover = Handover(HandoverKind.DROP, self.holds_for(ctx.profile), self.refresh)
        return Decision(Verdict.DROP, handover=handover, rule=ctx.rule)

    def on_packet(self, ctx: Context) -> Decision:
        """Drop what still gets here: a fragmentless kernel table would have, too."""
        return Decision(Verdict.DROP, rule=ctx.rule)

    def holds_for(self, profile: Profile) -> float:
        """The residual time; nothing for a single packet."""
        return 0.0 if self.scope == "packet" else residual(self.residual, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """As the parameter says."""
        return self.refresh
