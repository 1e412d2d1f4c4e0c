"""The legacy reset: forged RST/ACKs to one end or both, with header fields of their own."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.actions.resets import AckError, End, Resets, ResetTtl
from testbed.censor.decision import PASS, Decision, Verdict
from testbed.censor.packet import RST, TCP
from testbed.censor.profile import Profile
from testbed.censor.units import HeaderWord, Seconds


@dataclass(frozen=True, slots=True)
class InjectRst(Action[None]):
    """Inject RST/ACK. Fields left out are the profile's (IP-ID 0, window 0, TTL 64 at the box: GDPI).

    A wrong acknowledgement number does not matter to Linux's TCP, and conntrack may call it invalid (ZAP).
    """

    key: ClassVar[str] = "rst"

    to: End = "client"
    trigger: Literal["pass", "drop"] = "pass"
    ttl: ResetTtl | None = None  # hop limit at the box
    ip_id: HeaderWord | None = None
    window: HeaderWord | None = None
    ack_error: AckError = 0  # added to the acknowledgement number: some boxes send a wrong one (ZAP)
    residual: Seconds | None = None  # later packets of the client on the 4-tuple are answered alike

    def on_match(self, ctx: Context[None]) -> Decision:
        """Reset, and pass or drop the trigger."""
        if ctx.packet.protocol != TCP or ctx.packet.flags & RST:
            return PASS  # a reset is never answered by a reset (RFC 9293 §3.10.7)
        resets = Resets(self.ttl, self.ip_id, self.window, self.ack_error)
        dropped = self.trigger == "drop" and ctx.profile.in_path
        return Decision(
            Verdict.DROP if dropped else Verdict.PASS,
            inject=resets.made(ctx, self.to, delivered=not dropped),
        )

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Answer the client again; the server's packets pass."""
        return self.on_match(ctx) if ctx.direction is ctx.flow.asks else PASS

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return residual(self.residual, self.key, profile)
