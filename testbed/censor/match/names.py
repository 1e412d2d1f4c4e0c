"""Names: in a TLS or QUIC ClientHello, a plain HTTP request, a plain DNS query."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from testbed.censor.inspect import Content, Kind
from testbed.censor.match.key import SHORT, ContentKey, plain_list
from testbed.censor.names import NameList, NameMatcher

if TYPE_CHECKING:
    from testbed.censor.match import Match

_FEW: Final = 2000  # patterns up to which lists are compared name by name; longer ones only as a whole


class NameKey(ContentKey[NameList]):
    """The base of the keys by name."""

    shape = NameList
    written = "a pattern, a list of patterns, or `{file: names.txt}`"
    exclusive = True

    def compile(self, value: NameList) -> NameMatcher:
        """The patterns, ready for a name."""
        return NameMatcher(value.patterns)

    def fits(self, compiled: NameMatcher, content: Content) -> bool:
        """Whether the content's name is listed."""
        return content.name in compiled

    def keywords(self, compiled: NameMatcher, payload: bytes) -> Iterable[str]:
        """The listed names in the payload."""
        return compiled.found_in(payload)

    def covers(self, value: NameList, match: "Match") -> bool:
        """Whether every name of the other list is matched by this one."""
        other = match.get(self.name)
        return isinstance(other, NameList) and _covers(value, other)

    def to_json(self, value: NameList) -> Any:
        """The patterns; a long list from a file by count and source."""
        if value.source and len(value.patterns) > SHORT:
            return {"count": len(value.patterns), "source": value.source}
        return plain_list(value.patterns)


class TlsSni(NameKey):
    """The server name in a TLS ClientHello."""

    name = "tls.sni"
    kinds: ClassVar = frozenset({Kind.TLS})
    transport = "tcp"


class TlsCertificate(NameKey):
    """A name in the certificate of a TLS 1.2 server.

    It is read in the server's first segments, in each by itself; TLS 1.3 encrypts it.
    """

    name = "tls.certificate"
    kinds: ClassVar = frozenset({Kind.CERTIFICATE})
    transport = "tcp"


class HttpHost(NameKey):
    """The Host of a plain HTTP request."""

    name = "http.host"
    kinds: ClassVar = frozenset({Kind.HTTP})
    transport = "tcp"


class DnsQname(NameKey):
    """The name in a plain DNS query."""

    name = "dns.qname"
    kinds: ClassVar = frozenset({Kind.DNS})
    at_resolver = True


class QuicSni(NameKey):
    """The server name in a QUIC Initial, which is decrypted."""

    name = "quic.sni"
    kinds: ClassVar = frozenset({Kind.INITIAL})
    transport = "udp"


def _covers(first: NameList, second: NameList) -> bool:
    patterns = frozenset(first.patterns)
    if patterns.issuperset(second.patterns):
        return True
    if len(first.patterns) > _FEW or len(second.patterns) > _FEW:
        return False
    return all(any(_pattern_covers(a.lower(), b.lower()) for a in patterns) for b in second.patterns)


def _pattern_covers(a: str, b: str) -> bool:
    """Whether every name that `b` matches is matched by `a`."""
    text = b.strip("*")
    if a.startswith("*") and a.endswith("*"):
        return a.strip("*") in text
    if a.startswith("*"):
        return not (b.startswith("*") and b.endswith("*")) and text.endswith(a[1:])
    return a == b
