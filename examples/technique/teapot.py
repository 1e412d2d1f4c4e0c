"""A technique that answers in the server's name: 418 I'm a teapot (RFC 2324), as often as there are cups."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.handover import Drop
from testbed.censor.packet import TCP
from testbed.censor.profile import Profile
from testbed.censor.units import Seconds
from testbed.censor.wire import IpForm, data_to_sender, reset_receiver

ANSWER = b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\nConnection: close\r\n\r\nshort"


@dataclass(slots=True)
class Poured:
    """Cups that a subscriber has had."""

    cups: int = 0


@dataclass(slots=True)
class Tea:
    """What is remembered of a flow."""

    served: bool = False


@dataclass(frozen=True, slots=True)
class Teapot(Action[Tea]):
    """Serve tea to each subscriber's first connections; let the later ones through."""

    key: ClassVar[str] = "teapot"

    cups: int = 2  # connections per subscriber
    silence: Seconds = Seconds(10.0)  # for this long the rest of an answered connection is dropped

    def begin(self, ctx: Context[None]) -> Tea:
        """A new flow: nothing served yet."""
        return Tea()

    def on_match(self, ctx: Context[Tea]) -> Decision:
        """Answer the request and drop it, or let it pass when the pot is empty."""
        if ctx.direction is not Direction.UP or ctx.packet.protocol != TCP:
            return PASS
        poured = ctx.of_host(Poured)
        if poured.cups >= self.cups:
            return PASS
        poured.cups += 1
        ctx.state.served = True
        form = IpForm()
        tea = tuple(Injection(p, Direction.DOWN) for p in data_to_sender(ctx.packet, ANSWER, form, fin=True))
        farewell = Injection(reset_receiver(ctx.packet, form, delivered=False), Direction.UP)
        (rest,) = self.handovers(ctx.profile)
        return Decision(Verdict.DROP, inject=(*tea, farewell), handover=rest)

    def on_packet(self, ctx: Context[Tea]) -> Decision:
        """What was queued before the kernel had the flow; or a flow without tea."""
        return Decision(Verdict.DROP) if ctx.state.served else PASS

    def holds_for(self, profile: Profile) -> float:
        """Both this side and the kernel's forget the flow after this time."""
        return self.silence

    def handovers(self, profile: Profile) -> tuple[Drop, ...]:
        """The rest of an answered connection."""
        return (Drop(self.silence),)
