"""Rules made ready for matching: compiled names, networks as integers, ports."""

from ipaddress import IPv4Network
from typing import Final

from testbed.censor.inspect import Content, Kind, Wanted
from testbed.censor.names import NameMatcher
from testbed.censor.packet import TCP, UDP, Packet
from testbed.censor.policy import Match, Network, Policy
from testbed.censor.profile import Profile

_TRANSPORTS: Final = {"tcp": TCP, "udp": UDP}
_HELLOS: Final = frozenset({Kind.TLS, Kind.INITIAL})


class Networks:
    """Address prefixes of both versions: one dictionary probe per prefix length in use."""

    __slots__ = ("_by_length",)

    def __init__(self, networks: tuple[Network, ...]) -> None:
        table: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            size = 4 if isinstance(network, IPv4Network) else 16
            shift = network.max_prefixlen - network.prefixlen
            table.setdefault((size, shift), set()).add(int(network.network_address) >> shift)
        self._by_length = tuple(
            (size, shift, frozenset(heads)) for (size, shift), heads in sorted(table.items())
        )

    def __contains__(self, address: bytes) -> bool:
        number = int.from_bytes(address, "big")
        return any(
            size == len(address) and number >> shift in heads for size, shift, heads in self._by_length
        )


class CompiledRule:
    """One rule's match, ready to be asked."""

    __slots__ = ("_match", "_names", "_networks", "_ports", "_transport", "kinds", "needles")

    def __init__(self, match: Match) -> None:
        self._match = match
        lists = {
            Kind.TLS: match.tls_sni,
            Kind.HTTP: match.http_host,
            Kind.DNS: match.dns_qname,
            Kind.INITIAL: match.quic_sni,
        }
        self._names = {kind: NameMatcher(names.patterns) for kind, names in lists.items() if names}
        self._networks = Networks(match.ip) if match.ip else None
        self._ports = frozenset(match.ports)
        self._transport = _TRANSPORTS.get(match.transport or "")
        self.kinds = self._kinds()
        self.needles = tuple(
            pattern.strip("*").lower().encode()
            for names in lists.values()
            if names
            for pattern in names.patterns
            if pattern.strip("*")
        )

    def _kinds(self) -> frozenset[Kind]:
        match, kinds = self._match, set(self._names)
        if match.quic:
            kinds.add(Kind.QUIC)
        if match.protocol:
            kinds.add(Kind.PROTOCOL)
        if not kinds and (match.ja4 or match.ech is not None):
            kinds |= _HELLOS
        return frozenset(kinds)

    def header_fits(self, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the parts that the header decides hold."""
        return (not self._match.data or packet.has_payload) and self.address_fits(packet, outside, port)

    def address_fits(self, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether those parts hold that are the same for every packet of a flow."""
        return (
            (self._transport is None or packet.protocol == self._transport)
            and (not self._ports or port in self._ports)
            and (self._networks is None or outside in self._networks)
        )

    def content_fits(self, content: Content) -> bool:
        """Whether the content is what the rule looks for."""
        if content.kind not in self.kinds:
            return False
        match = self._match
        if content.kind is Kind.QUIC:
            quic = match.quic
            return quic is not None and content.version == quic.version and content.size >= quic.min_payload
        if content.kind is Kind.PROTOCOL:
            return content.name in match.protocol
        names = self._names.get(content.kind)
        return (names is None or content.name in names) and self._hello_fits(content)

    def _hello_fits(self, content: Content) -> bool:
        match, hello = self._match, content.hello
        if match.ech is not None and (hello is None or hello.ech is not match.ech):
            return False
        if not match.ja4:
            return True
        if hello is None:
            return False
        from testbed.censor.ja4 import ja4  # only policies that name a fingerprint need it

        return ja4(hello, "q" if content.kind is Kind.INITIAL else "t") in match.ja4


def wanted(policy: Policy, profile: Profile) -> Wanted:
    """What the policy's rules look for, and where."""
    defaults = {
        Kind.TLS: profile.tls_ports.value,
        Kind.HTTP: profile.http_ports.value,
        Kind.DNS: profile.dns_ports.value,
        Kind.QUIC: profile.quic_ports.value,
        Kind.INITIAL: profile.quic_ports.value,
        Kind.PROTOCOL: (),
    }
    ports: dict[Kind, frozenset[int]] = {}
    for rule in policy.rules:
        for kind in CompiledRule(rule.match).kinds:
            here = frozenset(rule.match.ports or defaults[kind])
            known = ports.get(kind)
            ports[kind] = here if known is None else (known | here if known and here else frozenset())
    return Wanted(ports, frozenset(name for rule in policy.rules for name in rule.match.protocol))
