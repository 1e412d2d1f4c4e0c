"""A technique that answers in the server's name: 418 I'm a teapot (RFC 2324), as often as there are cups."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision, Direction, Handover, HandoverKind, Injection, Verdict
from testbed.censor.packet import TCP
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds
from testbed.censor.wire import IpForm, data_to_sender, reset_receiver

ANSWER = b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\nConnection: close\r\n\r\nshort"


@dataclass(frozen=True, slots=True)
class Teapot(Action):
    """Serve tea to each subscriber's first connections; let the later ones through."""

    key: ClassVar[str] = "teapot"
    hands_over: ClassVar[frozenset[HandoverKind]] = frozenset({HandoverKind.DROP})

    cups: int = 2  # connections per subscriber
    silence: Seconds = Seconds(10.0)  # for this long the rest of an answered connection is dropped

    def on_match(self, ctx: Context) -> Decision:
        """Answer the request and drop it, or let it pass when the pot is empty."""
        if ctx.direction is not Direction.UP or ctx.packet.protocol != TCP:
            return PASS
        poured = ctx.flow.shared.get("teapot", 0)  # one dictionary per subscriber
        assert isinstance(poured, int)
        if poured >= self.cups:
            return PASS
        ctx.flow.shared["teapot"] = poured + 1
        ctx.flow.state = "served"  # this flow's own; gone when the rule lets go of it
        form = IpForm()
        tea = tuple(Injection(p, Direction.DOWN) for p in data_to_sender(ctx.packet, ANSWER, form, fin=True))
        farewell = Injection(reset_receiver(ctx.packet, form, delivered=False), Direction.UP)
        return Decision(Verdict.DROP, inject=(*tea, farewell), handover=self._rest(), rule=ctx.rule)

    def on_packet(self, ctx: Context) -> Decision:
        """What still gets here although the kernel has the flow, such as fragments; or a flow without tea."""
        return Decision(Verdict.DROP, rule=ctx.rule) if ctx.flow.state == "served" else PASS

    def holds_for(self, profile: Profile) -> float:
        """Both this side and the kernel's forget the flow after this time."""
        return self.silence

    def _rest(self) -> Handover:
        return Handover(HandoverKind.DROP, self.silence, refresh=False)
