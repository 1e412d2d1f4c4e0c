"""Rules made ready for matching: what each looks for, compiled, and by what it is decided."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from testbed.censor.inspect import Content, Kind, Wanted
from testbed.censor.match.key import ContentKey, HeaderKey
from testbed.censor.packet import Packet
from testbed.censor.profile import Profile

if TYPE_CHECKING:
    from testbed.censor.match import Match
    from testbed.censor.policy import Policy

ContentTest = tuple[Callable[[Any, Content], bool], Any]  # a key's `fits`, and its compiled value
HeaderTest = tuple[Callable[[Any, Packet, bytes, int], bool], Any]


class CompiledRule:
    """One rule's match, ready to be asked."""

    __slots__ = ("_address", "_content", "_header", "_keywords", "kinds", "protocols", "roles_reversed")

    def __init__(self, match: "Match") -> None:
        self._content: dict[Kind, tuple[ContentTest, ...]] = {}
        self._keywords: list[tuple[ContentKey[Any], Any]] = []
        main, narrowing = match.content_parts, match.narrowing_parts
        narrow = tuple((key.fits, key.compile(value)) for key, value in narrowing)
        for key, value in main:
            compiled = key.compile(value)
            self._keywords.append((key, compiled))
            for kind in key.kinds:
                before = self._content.get(kind, ())
                self._content[kind] = (*before, (key.fits, compiled))
        if main:
            self._content = {kind: (*tests, *narrow) for kind, tests in self._content.items()}
        elif narrow:
            self._content = {kind: narrow for key, _ in narrowing for kind in key.kinds}
        self.kinds = frozenset(self._content)  # of the contents that can fit; none: the header decides
        self.protocols = tuple(name for key, value in main for name in key.protocols(value))
        self.roles_reversed = "roles_reversed" in match
        header: list[tuple[HeaderKey[Any], HeaderTest]] = [
            (key, (key.fits, key.compile(value)))
            for key, value in match.parts if isinstance(key, HeaderKey)
        ]  # fmt: skip
        self._address = tuple(test for key, test in header if not key.per_packet)
        self._header = (*(test for key, test in header if key.per_packet), *self._address)

    def keywords(self, payload: bytes) -> Iterator[str]:
        """What the rule's names show as anywhere in the payload."""
        for key, compiled in self._keywords:
            yield from key.keywords(compiled, payload)

    def header_fits(self, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the parts that the header decides hold."""
        for fits, value in self._header:  # noqa: SIM110 - a generator would cost more
            if not fits(value, packet, outside, port):
                return False
        return True

    def address_fits(self, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether those parts hold that are the same for every packet of a flow."""
        for fits, value in self._address:  # noqa: SIM110 - as above
            if not fits(value, packet, outside, port):
                return False
        return True

    def content_fits(self, content: Content) -> bool:
        """Whether the content is what the rule looks for."""
        tests = self._content.get(content.kind)
        if tests is None:
            return False
        for fits, value in tests:  # noqa: SIM110 - as above
            if not fits(value, content):
                return False
        return True


def compiled(policy: "Policy") -> list[CompiledRule]:
    """The policy's rules in their order: the part of making a box that takes time where lists are long."""
    return [CompiledRule(rule.match) for rule in policy.rules]


def wanted(policy: "Policy", profile: Profile, compiled: Sequence[CompiledRule]) -> Wanted:
    """What the policy's rules, `compiled` in their order, look for, and where."""
    defaults = {
        Kind.TLS: profile.tls_ports.value,
        Kind.HTTP: profile.http_ports.value,
        Kind.DNS: profile.dns_ports.value,
        Kind.QUIC: profile.quic_ports.value,
        Kind.INITIAL: profile.quic_ports.value,
        Kind.UNREADABLE: profile.quic_ports.value,
    }
    ports: dict[Kind, frozenset[int]] = {}
    for rule, ready in zip(policy.rules, compiled, strict=True):
        for kind in ready.kinds:
            here = frozenset(rule.match.get("ports") or defaults.get(kind, ()))
            known = ports.get(kind)
            ports[kind] = here if known is None else (known | here if known and here else frozenset())
    return Wanted(ports, frozenset(name for ready in compiled for name in ready.protocols))
