"""What happens in a dialogue: `L(hello(X)).passes`, `R(RECORD).becomes_reset`, `wait(70)`.

A step runs twice: by `run(exchange)` with the rules, and by `run_twin(exchange)` without any, where every
packet must pass untouched, whatever the case expects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from testbed.conformance.backend import Who
from testbed.conformance.exchange import Exchange, Header, Observation, observe
from testbed.conformance.packets import ICMP, TCP, UDP, fragments, read, with_ttl


@dataclass(frozen=True, slots=True)
class StepResult:
    """Whether a step held, and what was observed. Routine steps are reported only if they failed."""

    held: bool
    seen: str
    routine: bool = False


class DialogueStep(Protocol):
    """One step of a dialogue."""

    def run(self, exchange: Exchange) -> StepResult:
        """Do it, and compare with what the case expects."""
        ...

    def run_twin(self, exchange: Exchange) -> StepResult:
        """Do it without rules, and check that every packet passed untouched."""
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What must follow one packet."""

    text: str
    holds: Callable[[Observation], bool]


PASSES = Expected("passes untouched", lambda it: it.untouched)
DROPPED = Expected("is dropped", lambda it: it.silent)
RESET = Expected("arrives as RST/ACK", lambda it: it.became_reset and it.checksums_valid)
ANYTHING = Expected("anything", lambda _: True)


@dataclass(frozen=True, slots=True)
class SendPacket:
    """One packet of one side. A property chooses what is expected: `L(hello(X)).passes`."""

    who: Who
    payload: bytes = b""
    flags: str = ""
    what: str = ""
    header: Header = field(default_factory=Header)
    expected: Expected = ANYTHING
    routine: bool = False

    @property
    def passes(self) -> "SendPacket":
        """It arrives as it was sent, and nothing else arrives."""
        return replace(self, expected=PASSES)

    @property
    def passes_unreported(self) -> "SendPacket":
        """It passes, as a routine step."""
        return replace(self, expected=PASSES, routine=True)

    @property
    def is_dropped(self) -> "SendPacket":
        """Nothing reaches either end."""
        return replace(self, expected=DROPPED)

    @property
    def becomes_reset(self) -> "SendPacket":
        """It arrives as RST/ACK: without payload, all else unchanged."""
        return replace(self, expected=RESET)

    def results_in(self, text: str, holds: Callable[[Observation], bool]) -> "SendPacket":
        """Anything else. Checksums of forged packets must be valid as well."""
        return replace(self, expected=Expected(text, lambda it: holds(it) and it.checksums_valid))

    def run(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`."""
        return self._compared(exchange, self.expected)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`."""
        return self._compared(exchange, PASSES)

    def _compared(self, exchange: Exchange, expected: Expected) -> StepResult:
        packet = exchange.packet(self.who, self.payload, self.letters, self.header)
        observation = observe(exchange, self.who, packet)
        held = expected.holds(observation)
        text = f"{self.who}'s {self.what or describe(self, exchange)} {observation}"
        return StepResult(held, text if held else f"{text} (expected: {expected.text})", self.routine)

    @property
    def letters(self) -> str:
        """The TCP flags."""
        return self.flags or ("PA" if self.payload else "A")


def L(payload: bytes = b"", what: str = "", *, flags: str = "", **header: Any) -> SendPacket:  # noqa: N802
    """The subscriber sends. `header`: fields of `exchange.Header`."""
    return SendPacket("L", payload, flags, what, Header(**header))


def R(payload: bytes = b"", what: str = "", *, flags: str = "", **header: Any) -> SendPacket:  # noqa: N802
    """The far host sends."""
    return SendPacket("R", payload, flags, what, Header(**header))


def describe(step: SendPacket, exchange: Exchange) -> str:
    """What a packet is, by its first bytes."""
    data = step.payload
    if exchange.protocol == ICMP:
        return "ping" if step.who == "L" else "ping's answer"
    if exchange.protocol == TCP and not data:
        return {"S": "SYN", "SA": "SYN/ACK", "A": "ACK", "FA": "FIN", "RA": "RST/ACK"}.get(
            step.letters, step.letters
        )
    if data.startswith(b"\x16\x03") and len(data) > 5:
        return "ServerHello" if data[5] == 2 else "ClientHello"
    if data.startswith(b"GET "):
        return "GET"
    if data.startswith(b"HTTP/"):
        return "HTTP answer"
    if exchange.port == 53:
        return "query" if step.who == "L" else "answer"
    if exchange.protocol == UDP and len(data) > 4 and data[0] & 0x80:
        return "Initial"
    return "data"


@dataclass(frozen=True, slots=True)
class Fragmented:
    """One packet in IP fragments, sent in order.

    A box buffers them, so they must arrive together after the last one was sent, with the first one's TTL.
    """

    who: Who
    size: int
    count: int  # fragments
    arrive: bool
    payload: bytes = b""  # of TCP; otherwise UDP with `size` bytes
    first_ttl: int = 64
    later_ttl: int = 64
    withhold: int = 0  # this many of the last fragments are never sent
    reset: bool = False  # one RST/ACK arrives in their place

    def run(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`."""
        return self._compared(exchange, arrive=self.arrive, buffered=True)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`. Without a box each fragment arrives at once, if its TTL lasts."""
        return self._compared(exchange, arrive=True, buffered=False)

    def _compared(self, exchange: Exchange, *, arrive: bool, buffered: bool) -> StepResult:
        whole = exchange.packet(self.who, self.payload or bytes(self.size), "PA", Header())
        cut = fragments(whole, self.count)
        sent = [with_ttl(cut[0], self.first_ttl), *(with_ttl(one, self.later_ttl) for one in cut[1:])]
        sent = sent[: self.count - self.withhold]
        early: list[bytes] = []
        last: list[bytes] = []
        other: Who = "R" if self.who == "L" else "L"
        for number, one in enumerate(sent, 1):
            arrived = exchange.backend.send(self.who, [one]).at[other]
            (last if number == len(sent) else early).extend(arrived)
        routers = exchange.backend.routers
        if buffered:
            due = [with_ttl(one, self.first_ttl - routers) for one in cut] if arrive else []
        else:
            due = [with_ttl(one, one[8] - routers) for one in sent if one[8] > routers]
        views = [view for raw in early + last if (view := read(raw))]
        if self.reset and buffered:
            held = len(views) == 1 and views[0].is_reset and views[0].checksums_valid
        else:
            held = sorted(early + last) == sorted(due) and not (buffered and early)
        text = f"{len(sent)} fragments: {len(early)} arrived before the last was sent, {len(last)} after"
        if views:
            whole_ones = sum(not view.fragment for view in views)
            ttls = ", ".join(map(str, sorted({view.ttl for view in views})))
            text += f", {whole_ones} reassembled, TTL {ttls}"
        return StepResult(held, text)


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes on the censor's clock."""

    seconds: float

    def run(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`."""
        exchange.backend.wait(self.seconds)
        return StepResult(held=True, seen=f"after {self.seconds:g} s")

    run_twin = run


def wait(seconds: float) -> Wait:
    """Let this many seconds pass on the censor's clock."""
    return Wait(seconds)


@dataclass(frozen=True)
class NewFlow:
    """The following steps belong to another flow: a fresh source port, and these changes."""

    changes: dict[str, object]
    what: str = ""

    same_ports: bool = False  # the same flow goes on, as another host sees it

    def run(self, exchange: Exchange) -> StepResult:
        """See `DialogueStep`."""
        if self.same_ports:
            exchange.change(**self.changes)
        else:
            exchange.renew(**self.changes)
        return StepResult(held=True, seen=self.what, routine=not self.what)

    run_twin = run


def tcp(port: int = 443, what: str = "", **changes: object) -> NewFlow:
    """A new TCP flow to this port of R. `changes`: fields of `Exchange`."""
    return NewFlow({"protocol": TCP, "port": port, **changes}, what)


def udp(port: int = 443, what: str = "", **changes: object) -> NewFlow:
    """A new UDP flow."""
    return NewFlow({"protocol": UDP, "port": port, **changes}, what)


def seen_from(right: str) -> NewFlow:
    """From here on R sends and receives as this host, on the same ports."""
    return NewFlow({"right": right}, same_ports=True)


def ping(**changes: object) -> NewFlow:
    """Echo requests and replies from here on."""
    return NewFlow({"protocol": ICMP, **changes})


OPENED = (L(flags="S").passes_unreported, R(flags="SA").passes_unreported, L(flags="A").passes_unreported)
OPENED_BY_R = (
    R(flags="S").passes_unreported,
    L(flags="SA").passes_unreported,
    R(flags="A").passes_unreported,
)
