"""How far away the box is: what the smallest hop limit is with which a trigger is met (CenTrace's question).

A packet with hop limit n dies at the n-th router, before that router's box sees it. So the box is at
hop n - 1 if n is the smallest limit at which anything happens, counted as `testbed.truth.record` counts.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from testbed.probe.provoke import Lure, provoke
from testbed.probe.wiretap import ICMP, ICMP6, SYN, TCP, SeenPacket, Wiretap, set_ttl

MOST_HOPS: Final = 30  # as traceroute
_AGAIN: Final = 2  # a hop limit that nothing answers is tried so often: a packet may be lost. Our choice
ANOTHER: Final = "another answer"
TtlFate = Literal["died", "answered", "silent", "refused"]


@dataclass(frozen=True, slots=True)
class HopFinding:
    """Where the box is. `hop` is None if nothing interfered before the far end."""

    hop: int | None
    routers: tuple[str, ...] = ()  # that answered, the first one first; "" for one that did not
    how: str = ""  # what happened behind that hop: reset, silent, …
    distance: int | None = None  # hop limit that takes a packet to the far end, where it was found out


def hop_on_connection(lure: Lure, *, wait: float = 1.0, distance: int | None = None) -> HopFinding:
    """The hop of a box that acts on `lure.trigger` on an open connection.

    `distance` is the hop limit that takes a packet to the far end: who answers with a smaller one is nearer.
    """
    routers: list[str] = []
    for ttl in range(1, MOST_HOPS + 1):
        tried = provoke(lure, ttl, wait=wait)
        nearer = tried.reached and distance is not None and ttl < distance
        if tried.broken or nearer:
            return HopFinding(ttl - 1, tuple(routers), ANOTHER if nearer else tried.broken, distance)
        if tried.reached:
            return HopFinding(None, tuple(routers), distance=ttl)
        routers.append(tried.died_at)
    return HopFinding(None, tuple(routers), distance=distance)


def hop_of_answers(lure: Lure, *, wait: float = 1.0) -> HopFinding:
    """The hop of a box that answers `lure.trigger` itself, on a connection that goes on to work or not.

    The trigger dies one hop before the far end. Whatever answers it then is no server.
    """
    distance = distance_of(syn(lure.address, lure.port, wait))
    if distance is None or distance < 2:
        return HopFinding(None)
    short = provoke(lure, distance - 1, wait=wait)
    if not short.broken and not short.reached:
        return HopFinding(None, distance=distance)
    return hop_on_connection(lure, wait=wait, distance=distance)


def hop_of_packets(send: Callable[[int], tuple[TtlFate, str]], distance: int | None) -> HopFinding:
    """The hop of a box that drops or refuses a first packet, which `send(ttl)` sends.

    `distance` is the hop limit with which a harmless packet is answered: a box is nearer.
    """
    routers: list[str] = []
    for ttl in range(1, distance or MOST_HOPS + 1):
        tries = (send(ttl) for _ in range(_AGAIN))
        fate, place = next((one for one in tries if one[0] != "silent"), ("silent", ""))
        if fate != "died":
            return HopFinding(ttl - 1, tuple(routers), fate, distance)
        routers.append(place)
    return HopFinding(None, tuple(routers), distance=distance)


def distance_of(send: Callable[[int], tuple[TtlFate, str]]) -> int | None:
    """The smallest hop limit with which a packet is answered; None if none is."""
    low, high = 0, MOST_HOPS
    if send(high)[0] != "answered":
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if send(middle)[0] == "answered":
            high = middle
        else:
            low = middle
    return high


def syn(address: str, port: int, wait: float) -> Callable[[int], tuple[TtlFate, str]]:
    """Sends SYNs."""
    six = ":" in address

    def send(ttl: int) -> tuple[TtlFate, str]:
        with Wiretap() as tap, _socket(socket.SOCK_STREAM, six=six) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            set_ttl(sock, ttl, six=six)
            sock.settimeout(0)
            sock.bind(("", 0))
            near = sock.getsockname()[1]
            sock.connect_ex((address, port))

            def mine(one: SeenPacket) -> bool:
                tcp = one.protocol == TCP and (one.source, one.dport) == (address, near)
                return not one.outgoing and (tcp or _quotes(one, near))

            came = next(filter(mine, tap.watch(wait, mine)), None)
        if came is None:
            return "silent", ""
        if came.protocol == TCP:
            return ("answered" if came.flags & SYN else "refused"), came.source
        return ("died" if came.time_exceeded else "refused"), came.source

    return send


def datagram(
    address: str, port: int, *payloads: bytes, wait: float, forged: bool = False
) -> Callable[[int], tuple[TtlFate, str]]:
    """Sends datagrams, together. `forged`: a box may answer what dies; the router's word is not all then."""
    six = ":" in address

    def send(ttl: int) -> tuple[TtlFate, str]:
        with Wiretap() as tap, _socket(socket.SOCK_DGRAM, six=six) as sock:
            set_ttl(sock, ttl, six=six)
            sock.bind(("", 0))
            near = sock.getsockname()[1]
            for payload in payloads:
                sock.sendto(payload, (address, port))

            def answers(one: SeenPacket) -> bool:
                return not one.outgoing and (one.source, one.sport, one.dport) == (address, port, near)

            def ends(one: SeenPacket) -> bool:
                return answers(one) or (not forged and _quotes(one, near))

            came = tap.watch(wait, ends)
        if came and answers(came[-1]):
            return "answered", came[-1].source
        died = next((one for one in came if _quotes(one, near)), None)
        if died is None:
            return "silent", ""
        return ("died" if died.time_exceeded else "refused"), died.source

    return send


def answers_to(address: str, port: int, payload: bytes, *, wait: float) -> list[SeenPacket]:
    """Every datagram that comes in answer to one, for so many seconds."""
    with Wiretap() as tap, _socket(socket.SOCK_DGRAM, six=":" in address) as sock:
        sock.connect((address, port))
        near = sock.getsockname()[1]
        sock.send(payload)
        came = tap.watch(wait)
    ends = (address, port, near)
    return [one for one in came if not one.outgoing and (one.source, one.sport, one.dport) == ends]


def _quotes(packet: SeenPacket, port: int) -> bool:
    error = not packet.outgoing and packet.protocol in (ICMP, ICMP6)
    return error and packet.quoted is not None and packet.quoted.sport == port


def _socket(kind: int, *, six: bool) -> socket.socket:
    return socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
