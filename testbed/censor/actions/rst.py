"""The legacy reset: forged RST/ACKs to one end or both, with header fields of their own."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context, residual
from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.packet import RST, TCP
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds
from testbed.censor.wire import IpForm, reset_receiver, reset_sender


@dataclass(frozen=True, slots=True)
class InjectRst(Action[None]):
    """Inject RST/ACK. Fields left out are the profile's (IP-ID 0, window 0, TTL 64 at the box: GDPI)."""

    key: ClassVar[str] = "rst"

    to: Literal["client", "server", "both"] = "client"
    trigger: Literal["pass", "drop"] = "pass"
    ttl: int | None = None  # hop limit at the box
    ip_id: int | None = None
    window: int | None = None
    residual: Seconds | None = None  # later packets from inside on the 4-tuple are answered alike

    def on_match(self, ctx: Context[None]) -> Decision:
        """Reset, and pass or drop the trigger."""
        if ctx.packet.protocol != TCP or ctx.packet.flags & RST:
            return PASS  # a reset is never answered by a reset (RFC 9293 §3.10.7)
        dropped = self.trigger == "drop" and ctx.profile.in_path
        return Decision(
            Verdict.DROP if dropped else Verdict.PASS,
            inject=self._resets(ctx, delivered=not dropped),
        )

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Answer the inside host again; the server's packets pass."""
        return self.on_match(ctx) if ctx.direction is Direction.UP else PASS

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return residual(self.residual, self.key, profile)

    def _resets(self, ctx: Context[None], *, delivered: bool) -> tuple[Injection, ...]:
        form = ctx.profile.reset.value
        ip_form = IpForm(
            form.hop_limit if self.ttl is None else self.ttl,
            form.ip_id if self.ip_id is None else self.ip_id,
            form.dont_fragment,
        )
        window = form.window if self.window is None else self.window
        back, on = ctx.direction.back, ctx.direction
        to_sender = Injection(reset_sender(ctx.packet, ip_form, window), back)
        to_receiver = Injection(reset_receiver(ctx.packet, ip_form, window, delivered=delivered), on)
        client_sent = ctx.direction is Direction.UP
        to_client, to_server = (to_sender, to_receiver) if client_sent else (to_receiver, to_sender)
        return {"client": (to_client,), "server": (to_server,), "both": (to_client, to_server)}[self.to]
