"""The direction of packets: which addresses are on the subscribers' side."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from testbed.censor.decision import Direction
from testbed.censor.match.address import Network, Networks
from testbed.censor.packet import ACK, SYN, TCP, parse
from testbed.errors import InputError

PRIVATE: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # shared address space behind carriers' NAT (RFC 6598)
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
_MOST_PAIRS: Final = 65_536  # pairs of hosts remembered; our choice


@dataclass(frozen=True, slots=True)
class Sides:
    """The prefixes inside, and how they are known."""

    inside: tuple[Network, ...]
    why: str

    def __str__(self) -> str:
        """For the last line of the output."""
        return f"{', '.join(map(str, self.inside)) or 'no addresses'} ({self.why})"


class DirectionFinder:
    """The direction of packets; remembers pairs of hosts, so that most answers take one look-up."""

    def __init__(self, sides: Sides) -> None:
        self._inside = Networks(sides.inside)
        self._known: dict[bytes, Direction | None] = {}

    def direction(self, raw: bytes) -> Direction | None:
        """Of an IP packet; None if it does not cross the box, because both ends or neither are inside."""
        pair = raw[12:20] if raw[0] >> 4 == 4 else raw[8:40]
        try:
            return self._known[pair]
        except KeyError:
            half = len(pair) // 2
            source, destination = pair[:half] in self._inside, pair[half:] in self._inside
            answer = None if source is destination else Direction.UP if source else Direction.DOWN
            if len(self._known) >= _MOST_PAIRS:
                self._known.clear()
            self._known[pair] = answer
            return answer


def sides_from_prefixes(prefixes: Iterable[str]) -> Sides:
    """From the user's prefixes. Errors: InputError if one is not a prefix."""
    networks: list[Network] = []
    for text in prefixes:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise InputError.at("--inside", str(error), "write 192.168.0.0/16 or 2001:db8::/32") from error
    return Sides(tuple(networks), "as given")


def inferred_sides(packets: Iterable[bytes]) -> Sides:
    """From a capture's first IP packets, for each IP version separately.

    The private ranges if a packet has exactly one end there; otherwise the host that sent the first SYN, or
    the first packet if there is no SYN.
    """
    private = Networks(PRIVATE)
    crossing: set[int] = set()
    opener: dict[int, bytes] = {}
    first: dict[int, bytes] = {}
    for raw in packets:
        packet = parse(raw)
        if packet is None:
            continue
        if (packet.source in private) is not (packet.destination in private):
            crossing.add(packet.version)
        first.setdefault(packet.version, packet.source)
        if packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN:
            opener.setdefault(packet.version, packet.source)
    inside: list[Network] = []
    why: list[str] = []
    for version, source in sorted(first.items()):
        if version in crossing:
            inside += [network for network in PRIVATE if network.version == version]
            why.append(f"IPv{version}: private ranges")
            continue
        inside.append(ip_network(ip_address(opener.get(version, source))))
        who = "sender of the first SYN" if version in opener else "sender of the first packet"
        why.append(f"IPv{version}: {who}")
    return Sides(tuple(inside), "; ".join(why) or "no IP packet at the beginning")
