"""SNI-I: the ClientHello passes, and every packet of the server becomes a RST/ACK (CP22 Fig. 6, OONI22)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.packet import TCP
from testbed.censor.profile import Profile
from testbed.censor.units import Span
from testbed.censor.wire import rewritten_as_reset


@dataclass(frozen=True, slots=True)
class RewriteRst(Action[None]):
    """Nothing is injected: the reset comes one true round trip after the hello, with the server's TTL."""

    key: ClassVar[str] = "rst-rewrite"
    only_in_path: ClassVar[bool] = True

    residual: Span | None = None  # None: the profile's, 75 s in 2022 (IMC22q p.7)

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Rewrite what the outside host sends, retransmissions too; the client's packets pass."""
        if ctx.direction is Direction.UP or ctx.packet.protocol != TCP:
            return PASS
        return Decision(Verdict.REPLACE, rewritten_as_reset(ctx.packet))

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return residual(self.residual, self.key, profile)

    def needs(self) -> tuple[str, ...]:
        """It rewrites what the server sends."""
        return "in-path", "down"
