"""Rules made ready for matching: compiled names, networks as integers, ports."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from typing import Final, Literal

from testbed.censor.inspect import Content, Kind, Wanted
from testbed.censor.names import NameMatcher
from testbed.censor.packet import ICMP, ICMP6, TCP, UDP, Packet
from testbed.censor.policy import Match, Network, Policy
from testbed.censor.profile import Profile

_TRANSPORTS: Final = {"tcp": (TCP,), "udp": (UDP,), "icmp": (ICMP, ICMP6)}
_HELLOS: Final = frozenset({Kind.TLS, Kind.INITIAL})


class Networks:
    """Address prefixes of both versions as sorted, disjoint ranges: a look-up is one binary search."""

    __slots__ = ("_ranges",)

    def __init__(self, networks: tuple[Network, ...]) -> None:
        by_size: dict[int, list[tuple[int, int]]] = {}
        for network in networks:
            size = 4 if isinstance(network, IPv4Network) else 16
            first = int(network.network_address)
            last = first | (1 << network.max_prefixlen - network.prefixlen) - 1
            by_size.setdefault(size, []).append((first, last))
        self._ranges = {size: _disjoint(ranges) for size, ranges in by_size.items()}

    def __contains__(self, address: bytes) -> bool:
        ranges = self._ranges.get(len(address))
        if ranges is None:
            return False
        firsts, lasts = ranges
        number = int.from_bytes(address, "big")
        at = bisect_right(firsts, number)
        return at > 0 and number <= lasts[at - 1]


def _disjoint(ranges: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """First and last numbers of the ranges' union, ascending. Neighbours become one."""
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


class CompiledRule:
    """One rule's match, ready to be asked."""

    __slots__ = ("_match", "_names", "_networks", "_ports", "_transports", "kinds")

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
        self._transports = _TRANSPORTS.get(match.transport or "", ())
        self.kinds = self._kinds()

    def keywords(self, payload: bytes) -> Iterator[str]:
        """What the rule's names show as anywhere in the payload."""
        for names in self._names.values():
            yield from names.found_in(payload)

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
            (not self._transports or packet.protocol in self._transports)
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
            return content.name in match.protocol and self._hello_fits(content)
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

        return ja4(hello, _letter(content)) in match.ja4


def _letter(content: Content) -> Literal["t", "q", "d"]:
    """What a fingerprint begins with: TLS, QUIC or DTLS."""
    if content.kind is Kind.INITIAL:
        return "q"
    return "d" if content.name.startswith("dtls") and content.kind is Kind.PROTOCOL else "t"


def compiled(policy: Policy) -> list[CompiledRule]:
    """The policy's rules in their order: the part of making a box that takes time where lists are long."""
    return [CompiledRule(rule.match) for rule in policy.rules]


def wanted(policy: Policy, profile: Profile, compiled: Sequence[CompiledRule]) -> Wanted:
    """What the policy's rules, `compiled` in their order, look for, and where."""
    defaults = {
        Kind.TLS: profile.tls_ports.value,
        Kind.HTTP: profile.http_ports.value,
        Kind.DNS: profile.dns_ports.value,
        Kind.QUIC: profile.quic_ports.value,
        Kind.INITIAL: profile.quic_ports.value,
        Kind.PROTOCOL: (),
    }
    ports: dict[Kind, frozenset[int]] = {}
    for rule, ready in zip(policy.rules, compiled, strict=True):
        for kind in ready.kinds:
            here = frozenset(rule.match.ports or defaults[kind])
            known = ports.get(kind)
            ports[kind] = here if known is None else (known | here if known and here else frozenset())
    return Wanted(ports, frozenset(name for rule in policy.rules for name in rule.match.protocol))
