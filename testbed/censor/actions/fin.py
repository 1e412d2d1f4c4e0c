"""A forged close: FIN/ACK to the client where other boxes reset (OONI22: AS25086, 31163, 34533, 35807)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from testbed.censor.actions.base import Action, Context
from testbed.censor.actions.resets import ResetTtl
from testbed.censor.decision import PASS, Decision, Injection, Verdict
from testbed.censor.packet import ACK, FIN, RST, SYN, TCP, Packet
from testbed.censor.profile import Profile
from testbed.censor.units import HeaderWord, Seconds
from testbed.censor.wire import Endpoints, IpForm, TcpForm, tcp

_WINDOW = 65535  # our choice; a window of 0 would keep the client's own close waiting


@dataclass(frozen=True, slots=True)
class InjectFin(Action[None]):
    """Close the client's side with the server's address: it sees the end of the stream, not a reset.

    The packet's form is not known; fields left out are those of the profile's resets.
    """

    key: ClassVar[str] = "fin"

    trigger: Literal["pass", "drop"] = "pass"
    ttl: ResetTtl | None = None  # hop limit at the box
    ip_id: HeaderWord | None = None
    residual: Seconds = Seconds(0)  # for this time, data of the client on the 4-tuple is answered likewise

    def on_match(self, ctx: Context[None]) -> Decision:
        """Close, and pass or drop the trigger."""
        packet = ctx.packet
        if packet.protocol != TCP or packet.flags & (RST | SYN) or not packet.has_payload:
            return PASS  # answering an ACK, which may be that of the last answer, would never end
        dropped = self.trigger == "drop" and ctx.profile.in_path
        form = ctx.profile.reset.value
        ip_form = IpForm(
            form.hop_limit if self.ttl is None else self.ttl,
            form.ip_id if self.ip_id is None else self.ip_id,
            form.dont_fragment,
        )
        close = _answer(packet, ip_form)
        if ctx.direction is not ctx.flow.asks:
            close = _continuation(packet, ip_form, delivered=not dropped)
        return Decision(
            Verdict.DROP if dropped else Verdict.PASS,
            inject=(Injection(close, ctx.flow.asks.back),),
        )

    def on_packet(self, ctx: Context[None]) -> Decision:
        """Answer the client again; the server's packets pass."""
        return self.on_match(ctx) if ctx.direction is ctx.flow.asks else PASS

    def holds_for(self, profile: Profile) -> float:
        """The residual time."""
        return self.residual


def _answer(packet: Packet, ip_form: IpForm) -> bytes:
    """The client sent the packet: the close acknowledges it, whether it passes or not."""
    form = TcpForm(packet.ack, packet.seq + packet.sequence_space, FIN | ACK, _WINDOW)
    return tcp(Endpoints.replying_to(packet), form, ip_form)


def _continuation(packet: Packet, ip_form: IpForm, *, delivered: bool) -> bytes:
    """The server sent it: the close follows it if it passes, otherwise it replaces it."""
    seq = packet.seq + (packet.sequence_space if delivered else 0)
    return tcp(Endpoints.continuing(packet), TcpForm(seq, packet.ack, FIN | ACK, _WINDOW), ip_form)
