"""Silence: the packet and, for a flow, everything after it in both directions (SNI-IV, QUIC, IP blocking)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, ResolverReply, residual
from testbed.censor.decision import Decision, Verdict
from testbed.censor.handover import Drop
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds

_DROPPED = Decision(Verdict.DROP)


@dataclass(frozen=True, slots=True)
class SilentDrop(Action[None]):
    """Drop the trigger; with scope "flow", drop the flow both ways for the residual time.

    Residual times of the boxes of 2022: 40 s for SNI-IV, 420 s for QUIC (IMC22q p.7), the latter
    restarted by every packet (FOCI26q p.3).
    """

    key: ClassVar[str] = "drop"
    only_in_path: ClassVar[bool] = True

    scope: Literal["flow", "packet"] = "flow"
    residual: Seconds | None = None  # None: the profile's
    refresh: bool | None = None  # whether packets restart that time; None: the profile's, for QUIC they do

    def __post_init__(self) -> None:
        """ValueError for times of a single packet."""
        given = [name for name in ("residual", "refresh") if getattr(self, name) is not None]
        if self.scope == "packet" and given:
            raise ValueError(
                f"drop: a single packet has no time; leave out {' and '.join(given)}, or scope: packet"
            )

    def on_match(self, ctx: Context[None]) -> Decision:
        """Drop, and leave the rest of the flow to the kernel."""
        rest = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, handover=rest[0]) if rest else _DROPPED

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Drop what still gets here: packets that were queued before the kernel had the flow."""
        return _DROPPED

    def holds_for(self, profile: Profile) -> float:
        """The residual time; nothing for a single packet."""
        return 0.0 if self.scope == "packet" else residual(self.residual, self.key, profile)

    def refreshes(self, profile: Profile) -> bool:
        """As the parameter says, or the profile."""
        return self.key in profile.restarted if self.refresh is None else self.refresh

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """The flow for the residual time."""
        lasts = self.holds_for(profile)
        return (Drop(lasts, self.refreshes(profile)),) if lasts > 0 else ()

    def resolver_reply(self, query: bytes) -> ResolverReply:
        """None at all."""
        return ResolverReply()
