"""Rules made ready for matching: what each looks for, compiled, and by what it is decided."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from testbed.censor.inspect import Content, Kind, Wanted
from testbed.censor.match.key import ContentKey, HeaderKey, HistoryKey
from testbed.censor.match.ports import EVERY_PORT, Ports, PortSet
from testbed.censor.packet import Packet
from testbed.censor.profile import Profile

if TYPE_CHECKING:
    from testbed.censor.flow import Flow
    from testbed.censor.match import Match
    from testbed.censor.policy import Policy

ContentTest = tuple[Callable[[Any, Content], bool], Any]  # a key's `fits`, and its compiled value
HeaderTest = tuple[Callable[[Any, Packet, bytes, int], bool], Any]


class CompiledRule:
    """One rule's match, ready to be asked."""

    __slots__ = (
        "_address",
        "_content",
        "_header",
        "_keys",
        "_keywords",
        "_on",
        "history",
        "kinds",
        "outside",
        "protocols",
        "roles_reversed",
        "whenever",
    )

    def __init__(self, match: "Match", profile: Profile | None = None) -> None:
        """`profile`: whose ports a rule without `ports` looks at; None: every port."""
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
        self._on = {
            kind: ports for kind in self.kinds if (ports := _look_at(match, kind, profile))
        }  # of the other kinds, every port
        self.protocols = tuple(name for key, value in main for name in key.protocols(value))
        self.roles_reversed = "roles_reversed" in match
        self.outside = match.get("opened_by") == "outside"
        past = [(key, value) for key, value in match.parts if isinstance(key, HistoryKey)]
        self.history = tuple((key.holds, key.compile(value)) for key, value in past)
        self.whenever = any(key.whenever for key, _ in past)
        header: list[tuple[HeaderKey[Any], HeaderTest]] = [
            (key, (key.fits, key.compile(value)))
            for key, value in match.parts if isinstance(key, HeaderKey)
        ]  # fmt: skip
        self._address = tuple(test for key, test in header if not key.per_packet)
        self._keys = tuple(key for key, _ in match.parts)
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

    def fields(self, content: Content | None) -> tuple[str, ...]:
        """Names of the match keys by which it took a packet: of those about contents, the ones about this."""
        return tuple(
            key.name
            for key in self._keys
            if not isinstance(key, ContentKey) or (content is not None and content.kind in key.kinds)
        )

    def history_fits(self, packet: Packet, flow: "Flow", now: float) -> bool | None:
        """Whether the flow's history is what the rule looks for; None while later packets may decide it."""
        found: bool | None = True
        for holds, value in self.history:
            one = holds(value, packet, flow, now)
            if one is False:
                return False
            found = found and one
        return found

    def looks_at(self, kind: Kind, port: int) -> bool:
        """Whether the rule looks for a kind of content on the flow's far port."""
        ports = self._on.get(kind)
        return ports is None or port in ports

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
    return [CompiledRule(rule.match, policy.profile) for rule in policy.rules]


def wanted(policy: "Policy", compiled: Sequence[CompiledRule]) -> Wanted:
    """What the policy's rules, `compiled` in their order, look for, and where."""
    ports: dict[Kind, frozenset[int]] = {}
    for rule, ready in zip(policy.rules, compiled, strict=True):
        for kind in ready.kinds:
            here = _look_at(rule.match, kind, policy.profile)
            known = ports.get(kind)
            ports[kind] = here if known is None else (known | here if known and here else frozenset())
    return Wanted(ports, frozenset(name for ready in compiled for name in ready.protocols))


def default_ports(kind: Kind, profile: Profile) -> Ports:
    """The far ports on which a box looks for a kind of content that a rule gives no ports for."""
    given = {
        Kind.TLS: profile.tls_ports.value,
        Kind.CERTIFICATE: profile.tls_ports.value,
        Kind.HTTP: profile.http_ports.value,
        Kind.DNS: profile.dns_ports.value,
        Kind.QUIC: profile.quic_ports.value,
        Kind.INITIAL: profile.quic_ports.value,
        Kind.UNREADABLE: profile.quic_ports.value,
    }
    return given.get(kind) or (EVERY_PORT,)


def with_ports(match: "Match", profile: Profile) -> "Match":
    """The match with the ports that the profile gives it, if they are the same for all that it looks for."""
    keys = match.content_parts or match.narrowing_parts
    found = {default_ports(kind, profile) for key, _ in keys for kind in key.kinds}
    if "ports" in match or len(found) != 1:
        return match
    return type(match)(match.parts, ports=found.pop())


def _look_at(match: "Match", kind: Kind, profile: Profile | None) -> frozenset[int]:
    """As `Wanted` has them: an empty set is every port."""
    ports = match.get("ports") or (default_ports(kind, profile) if profile else (EVERY_PORT,))
    return frozenset() if EVERY_PORT in ports else frozenset(PortSet(ports))
