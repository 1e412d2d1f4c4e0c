"""Who the far host is: address, transport. The same for every packet of a flow."""

from bisect import bisect_right
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Final, Literal

from testbed.censor.match.key import HeaderKey, plain_list
from testbed.censor.packet import ICMP, ICMP6, TCP, UDP, Packet

if TYPE_CHECKING:
    from testbed.censor.match import Match

Network = IPv4Network | IPv6Network

_TRANSPORTS: Final = {"tcp": (TCP,), "udp": (UDP,), "icmp": (ICMP, ICMP6)}


class FarAddress(HeaderKey[tuple[Network, ...]]):
    """The far host's address."""

    name = "ip"
    shape = tuple[Network, ...]
    written = (
        "addresses, prefixes, `site:twitter.com` (the addresses of that site or [host](servers.md)), "
        "`country:RU` (those of all sites there), or `{file: networks.txt}`"
    )

    def compile(self, value: tuple[Network, ...]) -> "Networks":
        """The prefixes, ready for an address."""
        return Networks(value)

    def fits(self, compiled: "Networks", packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the far host is inside."""
        return outside in compiled

    def covers(self, value: tuple[Network, ...], match: "Match") -> bool:
        """Whether every other prefix lies in one of these."""
        others = match.get(self.name, ())
        return bool(others) and all(_inside(network, value) for network in others)

    def to_json(self, value: tuple[Network, ...]) -> Any:
        """The prefixes as text."""
        return plain_list([str(network) for network in value])


class TransportProtocol(HeaderKey[str]):
    """The transport protocol."""

    name = "transport"
    shape = Literal["tcp", "udp", "icmp"]
    written = "`tcp`, `udp` or `icmp`"

    def compile(self, value: str) -> tuple[int, ...]:
        """The protocol numbers of both IP versions."""
        return _TRANSPORTS[value]

    def fits(self, compiled: tuple[int, ...], packet: Packet, outside: bytes, port: int) -> bool:
        """Whether the packet is of the protocol."""
        return packet.protocol in compiled


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
        self._ranges = {size: _disjoint(ranges, size) for size, ranges in by_size.items()}

    def __contains__(self, address: bytes) -> bool:
        ranges = self._ranges.get(len(address))
        if ranges is None:
            return False
        firsts, lasts = ranges
        at = bisect_right(firsts, address)
        return at > 0 and address <= lasts[at - 1]


def _disjoint(ranges: list[tuple[int, int]], size: int) -> tuple[list[bytes], list[bytes]]:
    """First and last addresses of the ranges' union, ascending. Neighbours become one.

    Addresses of one size order as bytes as they do as numbers, and comparing bytes is faster.
    """
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return [each.to_bytes(size, "big") for each in firsts], [each.to_bytes(size, "big") for each in lasts]


def _inside(network: Network, others: tuple[Network, ...]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in others)  # type: ignore[arg-type]
