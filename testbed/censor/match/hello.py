"""Marks of a ClientHello beyond its name: fingerprint, encrypted_client_hello."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar

from testbed.censor.inspect import Content, Kind
from testbed.censor.ja4 import PATTERN, Letter, ja4
from testbed.censor.match.key import ContentKey, Impossible
from testbed.censor.parsers.tls import ClientHello
from testbed.censor.units import Form

if TYPE_CHECKING:
    from testbed.censor.match import Match

V = TypeVar("V")

_ALONE: Final = {
    "tcp": "t",
    "udp": "q",
    None: "tq",
}  # where ClientHellos are read without another content key
_MEANINGS: Final = {"t": "TLS over TCP", "q": "QUIC", "d": "DTLS"}


class HelloKey(ContentKey[V]):
    """The base of the keys that a ClientHello decides, of TLS, QUIC or DTLS.

    They narrow `tls.sni`, `quic.sni` and `protocol`, or are alone in a rule.
    """

    kinds: ClassVar = frozenset({Kind.TLS, Kind.INITIAL})
    narrows = True

    @abstractmethod
    def hello_fits(self, compiled: Any, hello: ClientHello, letter: Letter) -> bool:
        """Whether a ClientHello is what the rule looks for."""

    def fits(self, compiled: Any, content: Content) -> bool:
        """Whether the content has a ClientHello, and that fits."""
        hello = content.hello
        return hello is not None and self.hello_fits(compiled, hello, _letter(content))

    def faults(self, value: V, match: "Match") -> Iterator[Impossible]:
        """Other content keys in whose contents no ClientHello is read."""
        if not _letters(match):
            what = ", ".join(_content_words(match)) or f"transport: {match.get('transport')}"
            message = f"the rule can never match: no ClientHello is read with {what}"
            yield Impossible(
                (self.name,), message, "use it alone, or with tls.sni, quic.sni or protocol: dtls"
            )


class Ech(HelloKey[bool]):
    """Whether the ClientHello carries encrypted_client_hello; combined as `ja4`."""

    name = "ech"
    shape = bool
    written = "`true` or `false`"

    def hello_fits(self, compiled: bool, hello: ClientHello, letter: Letter) -> bool:  # noqa: FBT001
        """Whether it carries the extension, or does not, as asked."""
        return hello.ech is compiled


_Fingerprint = Annotated[str, Form(PATTERN, "a JA4 fingerprint", "t13d1516h2_8daaf6152771_d8a2da3f94cd")]


class Ja4(HelloKey[tuple[str, ...]]):
    """The ClientHello's JA4 fingerprint; narrows `tls.sni`, `quic.sni` or `protocol: dtls`, or is alone."""

    name = "ja4"
    shape = tuple[_Fingerprint, ...]
    written = "`t13d1516h2_8daaf6152771_d8a2da3f94cd`, or a list"

    def hello_fits(self, compiled: tuple[str, ...], hello: ClientHello, letter: Letter) -> bool:
        """Whether the fingerprint is one of those asked for."""
        return ja4(hello, letter) in compiled

    def faults(self, value: tuple[str, ...], match: "Match") -> Iterator[Impossible]:
        """Also fingerprints of another kind of ClientHello."""
        yield from super().faults(value, match)
        letters = _letters(match)
        for index, fingerprint in enumerate(value if letters else ()):
            if fingerprint[0] not in letters:
                kind = _MEANINGS[fingerprint[0]]
                message = f"the rule can never match: {fingerprint!r} is a fingerprint of {kind}"
                remedy = "add protocol: dtls" if fingerprint[0] == "d" else "write a rule of its own for it"
                yield Impossible((self.name, index), message, remedy)


def _letter(content: Content) -> Letter:
    if content.kind is Kind.INITIAL:
        return "q"
    return "d" if content.name.startswith("dtls") and content.kind is Kind.PROTOCOL else "t"


def _letters(match: "Match") -> str:
    """How fingerprints of the ClientHellos begin that the match's other keys leave to look at."""
    others = match.content_parts
    if not others:
        return _ALONE.get(match.get("transport"), "")
    return "".join(key.hellos(value) for key, value in others)


def _content_words(match: "Match") -> Iterator[str]:
    for key, value in match.content_parts:
        yield from key.protocols(value) or (key.name,)
