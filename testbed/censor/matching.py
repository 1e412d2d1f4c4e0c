"""Rules made ready for matching: compiled names, networks as integers, ports."""

from ipaddress import IPv4Network, ip_address
from typing import Final

from testbed.censor.inspect import Content, Kind
from testbed.censor.names import NameMatcher
from testbed.censor.packet import TCP, UDP, Packet
from testbed.censor.policy import Match, Network, Policy
from testbed.censor.profile import Profile

_TRANSPORTS: Final = {"tcp": TCP, "udp": UDP}


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

    __slots__ = ("_names", "_networks", "_ports", "_quic", "_transport", "content_kinds")

    def __init__(self, match: Match) -> None:
        lists = {Kind.TLS: match.tls_sni, Kind.HTTP: match.http_host, Kind.DNS: match.dns_qname}
        self._names = {kind: NameMatcher(names.patterns) for kind, names in lists.items() if names}
        self._quic = match.quic
        self._networks = Networks(match.ip) if match.ip else None
        self._ports = frozenset(match.ports)
        self._transport = _TRANSPORTS.get(match.transport or "")
        self.content_kinds = frozenset(self._names) | (frozenset({Kind.QUIC}) if match.quic else frozenset())

    def header_fits(self, packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the parts that the header decides hold."""
        return (
            (self._transport is None or packet.protocol == self._transport)
            and (not self._ports or port in self._ports)
            and (self._networks is None or outside in self._networks)
        )

    def content_fits(self, content: Content) -> bool:
        """Whether the content is what the rule looks for."""
        if content.kind is Kind.QUIC:
            quic = self._quic
            return quic is not None and content.version == quic.version and content.size >= quic.min_payload
        names = self._names.get(content.kind)
        return names is not None and content.name in names


def ports_by_kind(policy: Policy, profile: Profile) -> dict[Kind, frozenset[int]]:
    """For each kind of content that a rule wants, the far ports on which to look (empty: every port)."""
    defaults = {
        Kind.TLS: profile.tls_ports.value,
        Kind.HTTP: profile.http_ports.value,
        Kind.DNS: profile.dns_ports.value,
        Kind.QUIC: profile.quic_ports.value,
    }
    ports: dict[Kind, frozenset[int]] = {}
    for rule in policy.rules:
        for kind in CompiledRule(rule.match).content_kinds:
            wanted = frozenset(rule.match.ports or defaults[kind])
            known = ports.get(kind)
            ports[kind] = wanted if known is None else (known | wanted if known and wanted else frozenset())
    return ports


def network_of(address: str) -> bytes:
    """An address's bytes, for tests and callers that have text."""
    return ip_address(address).packed
