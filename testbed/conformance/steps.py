"""What happens in a dialogue: `L(hello(X)).passes`, `R(RECORD).becomes_reset`, `wait(70)`.

Each step is run by `run(talk)`, or by `free(talk)` in the twin, in which no rule stands: there every packet
must pass untouched, whatever the case expects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from testbed.conformance.ground import Who
from testbed.conformance.packets import ICMP, TCP, UDP
from testbed.conformance.talk import Header, Seen, Talk, seen
from testbed.conformance.words import outcome


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a step went as it must, and what was seen. `dull` ones are told only when they went wrong."""

    held: bool
    seen: str
    dull: bool = False


class Step(Protocol):
    """One thing that happens."""

    def run(self, talk: Talk) -> Finding:
        """Do it, and judge by what the case expects."""
        ...

    def free(self, talk: Talk) -> Finding:
        """Do it, and judge whether everything passed untouched."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must follow one packet."""

    words: str
    met: Callable[[Seen], bool]


PASSES = Expectation("passes untouched", lambda it: it.untouched)
SILENCE = Expectation("silence", lambda it: it.silent)
RESET = Expectation("arrives as RST/ACK", lambda it: it.as_reset and it.sums_right)
ANYTHING = Expectation("anything", lambda _: True)


@dataclass(frozen=True, slots=True)
class Send:
    """One packet of one side. Its expectation is chosen by a property: `L(hello(X)).passes`."""

    who: Who
    payload: bytes = b""
    flags: str = ""
    what: str = ""
    header: Header = field(default_factory=Header)
    expected: Expectation = ANYTHING
    dull: bool = False

    @property
    def passes(self) -> "Send":
        """It arrives as it was, and nothing else does."""
        return replace(self, expected=PASSES)

    @property
    def quietly(self) -> "Send":
        """It passes, which is not worth telling."""
        return replace(self, expected=PASSES, dull=True)

    @property
    def meets_silence(self) -> "Send":
        """Nothing reaches either end."""
        return replace(self, expected=SILENCE)

    @property
    def becomes_reset(self) -> "Send":
        """The other end gets it as RST/ACK: empty, all else its own."""
        return replace(self, expected=RESET)

    def leads_to(self, words: str, met: Callable[[Seen], bool]) -> "Send":
        """Anything else; checksums of what was made must be right."""
        return replace(self, expected=Expectation(words, lambda it: met(it) and it.sums_right))

    def run(self, talk: Talk) -> Finding:
        """See `Step`."""
        return self._judged(talk, self.expected)

    def free(self, talk: Talk) -> Finding:
        """See `Step`."""
        return self._judged(talk, PASSES)

    def _judged(self, talk: Talk, expected: Expectation) -> Finding:
        result = seen(talk, self.who, talk.packet(self.who, self.payload, self.letters, self.header))
        held = expected.met(result)
        words = f"{self.who}'s {self.what or describe(self, talk)} {outcome(result)}"
        return Finding(held, words if held else f"{words} (expected: {expected.words})", self.dull)

    @property
    def letters(self) -> str:
        """The TCP flags."""
        return self.flags or ("PA" if self.payload else "A")


def L(payload: bytes = b"", what: str = "", *, flags: str = "", **header: Any) -> Send:  # noqa: N802
    """The subscriber sends. `header`: fields of `talk.Header`."""
    return Send("L", payload, flags, what, Header(**header))


def R(payload: bytes = b"", what: str = "", *, flags: str = "", **header: Any) -> Send:  # noqa: N802
    """The far host sends."""
    return Send("R", payload, flags, what, Header(**header))


def describe(step: Send, talk: Talk) -> str:
    """What a packet is, by its first bytes."""
    data = step.payload
    if talk.protocol == ICMP:
        return "ping" if step.who == "L" else "ping's answer"
    if talk.protocol == TCP and not data:
        return {"S": "SYN", "SA": "SYN/ACK", "A": "ACK", "FA": "FIN", "RA": "RST/ACK"}.get(
            step.letters, step.letters
        )
    if data.startswith(b"\x16\x03") and len(data) > 5:
        return "ServerHello" if data[5] == 2 else "ClientHello"
    if data.startswith(b"GET "):
        return "GET"
    if data.startswith(b"HTTP/"):
        return "HTTP answer"
    if talk.port == 53:
        return "query" if step.who == "L" else "answer"
    if talk.protocol == UDP and len(data) > 4 and data[0] & 0x80:
        return "Initial"
    return "data"


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes by the censor's clock."""

    seconds: float

    def run(self, talk: Talk) -> Finding:
        """See `Step`."""
        talk.ground.wait(self.seconds)
        return Finding(held=True, seen=f"after {self.seconds:g} s")

    free = run


def wait(seconds: float) -> Wait:
    """Let so many seconds pass by the censor's clock."""
    return Wait(seconds)


@dataclass(frozen=True)
class Flow:
    """From here on another flow: a fresh source port, and what is named."""

    changes: dict[str, object]
    what: str = ""

    same_ports: bool = False  # the same flow goes on, as another host sees it

    def run(self, talk: Talk) -> Finding:
        """See `Step`."""
        if self.same_ports:
            talk.change(**self.changes)
        else:
            talk.renew(**self.changes)
        return Finding(held=True, seen=self.what, dull=not self.what)

    free = run


def tcp(port: int = 443, what: str = "", **changes: object) -> Flow:
    """A new TCP flow to this port of R. `changes`: fields of `Talk`."""
    return Flow({"protocol": TCP, "port": port, **changes}, what)


def udp(port: int = 443, what: str = "", **changes: object) -> Flow:
    """A new UDP flow."""
    return Flow({"protocol": UDP, "port": port, **changes}, what)


def seen_from(right: str) -> Flow:
    """From here on R speaks and hears as this host, on the same ports."""
    return Flow({"right": right}, same_ports=True)


def ping(**changes: object) -> Flow:
    """Echo requests and replies from here on."""
    return Flow({"protocol": ICMP, **changes})


OPENED = (L(flags="S").quietly, R(flags="SA").quietly, L(flags="A").quietly)
OPENED_BY_R = (R(flags="S").quietly, L(flags="SA").quietly, R(flags="A").quietly)
