"""The block page: a forged HTTP answer that arrives before the server's (GDPI, OONI-FP)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, ClassVar

from testbed.censor.actions.base import Action, Context, operators_own, residual
from testbed.censor.decision import PASS, Decision, Injection, Verdict
from testbed.censor.packet import TCP
from testbed.censor.profile import Profile
from testbed.censor.units import Between, Form, Seconds
from testbed.censor.wire import IpForm, data_to_sender, reset_receiver

_REDIRECT = Form(r"((https?:/)?/[!-~]*)?", "where a redirect can lead", "http://blocked.example/")


@dataclass(frozen=True, slots=True)
class Page(Action[None]):
    """Answer the request with the server's address, with FIN and `Connection: close` (our choice).

    In-path, the request is dropped and the server's side of the connection is reset (our choice), so
    that it does not wait; on-path, the request passes and the genuine answer arrives too late.
    """

    key: ClassVar[str] = "page"

    status: Annotated[int, Between(200, 599)] = 302
    location: Annotated[str, _REDIRECT] = operators_own("block_page", "")  # where a redirect leads
    body: str = operators_own("block_body", "")  # the page itself, if there is no redirect
    residual: Seconds | None = None  # in-path: how long the rest of the connection is dropped

    def on_match(self, ctx: Context[None]) -> Decision:
        """Inject the answer to the client."""
        if ctx.direction is not ctx.flow.asks or ctx.packet.protocol != TCP:
            return PASS
        reset = ctx.profile.reset.value
        form = IpForm(reset.hop_limit, reset.ip_id)
        answer = tuple(
            Injection(segment, ctx.direction.back)
            for segment in data_to_sender(ctx.packet, self.response(), form, fin=True)
        )
        if not ctx.profile.in_path:
            return Decision(inject=answer)
        farewell = Injection(reset_receiver(ctx.packet, form, delivered=False), ctx.direction)
        return Decision(Verdict.DROP, inject=(*answer, farewell))

    def on_packet(self, ctx: Context[None]) -> Decision:
        """In-path, nothing of this connection passes any more."""
        return Decision(Verdict.DROP) if ctx.profile.in_path else PASS

    def holds_for(self, profile: Profile) -> float:
        """How long the rest of the connection is dropped."""
        return residual(self.residual, self.key, profile) if profile.in_path else 0.0

    def response(self) -> bytes:
        """The whole HTTP response."""
        body = self.body.encode()
        phrase = next((one.phrase for one in HTTPStatus if one == self.status), "")  # it may be empty
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        if self.location:
            lines.append(f"Location: {self.location}")
        lines += ["Content-Type: text/html; charset=utf-8", "Connection: close"]  # FIN ends the body
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
