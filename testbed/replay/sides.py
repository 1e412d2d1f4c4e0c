"""The direction of packets: which addresses are on the subscribers' side."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from testbed.censor.bounded import Bounded
from testbed.censor.decision import Direction
from testbed.censor.match.address import Network, Networks
from testbed.censor.packet import ACK, SYN, TCP, UDP, Packet, parse
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
_WELL_KNOWN: Final = 1024
_EPHEMERAL: Final = 32_768  # Linux' first ephemeral port; IANA's is 49,152
_MOST_SHOWN: Final = 12  # prefixes; our choice


@dataclass(frozen=True, slots=True)
class Sides:
    """The prefixes inside, and how they are known."""

    inside: tuple[Network, ...]
    why: str
    guessed: bool = False  # no handshake and no private address shows it

    def __str__(self) -> str:
        """For the last line of the output."""
        shown = ", ".join(map(str, self.inside[:_MOST_SHOWN])) or "no addresses"
        more = len(self.inside) - _MOST_SHOWN
        return f"{shown}{f' and {more:,} more' if more > 0 else ''} ({self.why})"


class DirectionFinder:
    """The direction of packets; remembers pairs of hosts, so that most answers take one look-up."""

    def __init__(self, sides: Sides) -> None:
        self._inside = Networks(sides.inside)
        self._known: dict[bytes, Direction | None] = {}
        self._loops = LoopedFlows()

    def direction(self, raw: bytes) -> Direction | None:
        """Of an IP packet; None if it does not cross the box, because both ends or neither are inside.

        A host that talks with itself is on both sides: there, each connection's client is inside.
        """
        pair = raw[12:20] if raw[0] >> 4 == 4 else raw[8:40]
        try:
            return self._known[pair]
        except KeyError:
            half = len(pair) // 2
            if pair[:half] == pair[half:]:
                return self._loops.direction(raw)
            source, destination = pair[:half] in self._inside, pair[half:] in self._inside
            answer = None if source is destination else Direction.UP if source else Direction.DOWN
            if len(self._known) >= _MOST_PAIRS:
                self._known.clear()
            self._known[pair] = answer
            return answer


class LoopedFlows:
    """Directions where both ends have one address, as on a loopback interface: by port."""

    def __init__(self) -> None:
        self._clients: Bounded[tuple[int, bytes, frozenset[int]], int] = Bounded(_MOST_PAIRS)

    def direction(self, raw: bytes) -> Direction | None:
        """None for what has no ports."""
        packet = parse(raw)
        if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
            return None
        flow = packet.protocol, packet.source, frozenset((packet.sport, packet.dport))
        client = self._clients.get(flow)
        opening = opener(packet)
        if client is None or (opening is not None and opening.sure):
            client = packet.sport if opening is None or opening.sends else packet.dport
            self._clients.put(flow, client)
        return Direction.UP if packet.sport == client else Direction.DOWN


class OpenedBy(NamedTuple):
    """Who opened the connection of a packet, and how that is known."""

    sends: bool  # the packet's sender, else its receiver
    rank: int  # the smaller, the surer: an index of _WHY

    @property
    def sure(self) -> bool:
        """Whether a handshake shows it."""
        return self.rank <= _SYN_ACK


_SYN, _SYN_ACK, _PORTS, _FIRST = range(4)
_WHY: Final = (
    "sender of the first SYN",
    "receiver of the first SYN/ACK",
    "a guess: no handshake, so the end with the larger port",
    "a guess: sender of the first packet",
)


def opener(packet: Packet) -> OpenedBy | None:
    """From this packet alone. None if nothing in it shows who began."""
    if packet.protocol == TCP and packet.flags & SYN:
        return OpenedBy(sends=not packet.flags & ACK, rank=_SYN_ACK if packet.flags & ACK else _SYN)
    if packet.protocol not in (TCP, UDP) or packet.fragment:
        return None
    for limit in (_WELL_KNOWN, _EPHEMERAL):
        if (packet.sport < limit) is not (packet.dport < limit):
            return OpenedBy(sends=packet.dport < limit, rank=_PORTS)
    return None


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

    The private ranges if a packet has exactly one end there; otherwise the hosts that opened connections, by
    SYN, else by SYN/ACK, else by the larger port; the sender of the first packet if nothing shows it.
    """
    private = Networks(PRIVATE)
    crossing: set[int] = set()
    looped: set[int] = set()
    ends: dict[int, list[_Ends]] = {4: [], 6: []}
    for raw in packets:
        packet = parse(raw)
        if packet is None:
            continue
        if packet.source == packet.destination:
            looped.add(packet.version)
            continue
        if (packet.source in private) is not (packet.destination in private):
            crossing.add(packet.version)
        seen = opener(packet) or OpenedBy(sends=True, rank=_FIRST)
        pair = packet.source, packet.destination
        ends[packet.version].append(_Ends(seen.rank, *(pair if seen.sends else pair[::-1])))
    inside: list[Network] = []
    why: list[str] = []
    guessed = False
    for version, seen_ends in ends.items():
        if version in crossing:
            inside += [network for network in PRIVATE if network.version == version]
            why.append(f"IPv{version}: private ranges")
        elif seen_ends:
            rank = min(one.rank for one in seen_ends)
            inside += [ip_network(ip_address(one)) for one in _openers(seen_ends, rank)]
            why.append(f"IPv{version}: {_WHY[rank]}")
            guessed |= rank > _SYN_ACK
        if version in looped:
            why.append(f"IPv{version} of a host with itself: each connection's client")
    return Sides(tuple(inside), "; ".join(why) or "no IP packet at the beginning", guessed=guessed)


class _Ends(NamedTuple):
    rank: int
    opened: bytes  # address
    accepted: bytes


def _openers(seen: list[_Ends], rank: int) -> list[bytes]:
    """Every host that opens connections and accepts none; the first opener if each does both."""
    surest = [one for one in seen if one.rank == rank]
    if rank == _FIRST:
        return [surest[0].opened]
    accepting = {one.accepted for one in surest}
    return list(dict.fromkeys(one.opened for one in surest if one.opened not in accepting)) or [
        surest[0].opened
    ]
