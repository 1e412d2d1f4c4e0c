"""One connection with one trigger on it, whose hop limit one may choose, and what became of the connection.

The connection is the kernel's own; the trigger is a segment of ours beside it, of which the kernel does not
know and which it does not send again. So a trigger may die on the way, and the connection still shows whether
a box has seen it: bytes with a harmless name follow, and their answer shows that the connection works.
"""

import errno
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from testbed.probe.wiretap import FIN, RST, SYN, SeenPacket, TcpFlow, Wiretap, set_ttl

FULL: Final = 64  # the hop limit of ordinary packets
_FILLERS: Final = 12  # packets that follow, for boxes that let some pass (5 to 8, CP22 Fig. 6); our choice
_MORE: Final = 0.3  # of the wait, after a router's answer; our choice

Broken = Literal["", "reset", "closed", "silent", "another answer", "no connection", "refused"]


@dataclass(frozen=True, slots=True)
class Lure:
    """Where to connect, what to say there, and the same with a harmless name."""

    address: str
    port: int
    trigger: bytes
    harmless: bytes


@dataclass(frozen=True, slots=True)
class Provoked:
    """What became of one connection."""

    ttl: int
    broken: Broken  # "": it works
    died_at: str = ""  # the router that said that the trigger's hop limit ran out
    reached: bool = False  # the far end acknowledged the trigger, or answered it
    flow: TcpFlow | None = None
    packets: tuple[SeenPacket, ...] = field(default=(), repr=False)  # of the flow, from the SYN on

    @property
    def answers(self) -> tuple[SeenPacket, ...]:
        """What came in on the flow."""
        return tuple(one for one in self.packets if not one.outgoing)


def provoke(lure: Lure, ttl: int = FULL, *, wait: float = 1.0, port: int = 0, stay: bool = True) -> Provoked:
    """Connect, send the trigger with this hop limit, see what comes, see whether the connection works.

    wait: seconds without a packet that count as silence. port: the local one, 0 for any.
    stay: whether to try if the connection works afterwards; without, only what answers the trigger counts.
    """
    with Wiretap() as tap:
        try:
            with opened(lure, port, wait) as sock:
                flow = flow_of(tap, sock, wait)
                if flow is None:
                    return Provoked(ttl, "no connection", packets=tuple(tap.seen))
                return _provoked(tap, sock, flow, lure, ttl, wait, stay=stay)
        except TimeoutError:
            return Provoked(ttl, "no connection")
        except OSError as error:
            return Provoked(ttl, "refused" if error.errno == errno.ECONNREFUSED else "no connection")


def _provoked(
    tap: Wiretap, sock: socket.socket, flow: TcpFlow, lure: Lure, ttl: int, wait: float, *, stay: bool
) -> Provoked:
    flow.send(lure.trigger, ttl)
    came = tap.watch(wait, lambda one: flow.about(one) and one.time_exceeded)
    # A segment may be answered by a router and by a box before it.
    late = tap.watch(wait * _MORE) if came and came[-1].time_exceeded else []
    came = [one for one in [*came, *late] if not one.outgoing]
    mine = [one for one in came if flow.owns(one)]
    died = next((one.source for one in came if one.time_exceeded and flow.about(one)), "")
    reached = not died and any(_acknowledges(one, flow, len(lure.trigger)) or one.payload for one in mine)
    broken = _broken_by(mine, died=bool(died))
    if not broken and stay:
        broken = _works(tap, sock, flow, lure, wait, answered=reached and any(one.payload for one in mine))
    elif not broken and not died and not mine:
        broken = "silent"
    return Provoked(ttl, broken, died, reached, flow, tuple(one for one in tap.seen if flow.owns(one)))


def _acknowledges(packet: SeenPacket, flow: TcpFlow, size: int) -> bool:
    return (packet.ack - flow.seq) & 0xFFFFFFFF == size and not packet.flags & RST


def _broken_by(answers: list[SeenPacket], *, died: bool) -> Broken:
    """How the answers to the trigger alone show that somebody interferes."""
    if any(one.flags & RST for one in answers):
        return "reset"
    if died and any(one.payload for one in answers):
        return "another answer"  # the far end has not even seen the trigger
    if any(one.flags & FIN and not one.payload for one in answers):
        return "closed"
    return ""


def _works(
    tap: Wiretap, sock: socket.socket, flow: TcpFlow, lure: Lure, wait: float, *, answered: bool
) -> Broken:
    """Whether the connection works: an answer to harmless bytes, and then to a dozen packets more."""
    if not answered:
        with suppress(OSError):
            sock.sendall(lure.harmless)
        came = tap.watch(2 * wait, lambda one: flow.owns(one) and not one.outgoing and _says(one))
        last = next((one for one in reversed(came) if flow.owns(one) and not one.outgoing), None)
        if last is None or not _says(last):
            return "silent"
        if last.flags & RST:
            return "reset"
    old = TcpFlow(flow.near, flow.far, flow.seq - 1, flow.ack, flow.synack)
    for _ in range(_FILLERS):  # a byte that it has had: every kernel answers it with an acknowledgement
        old.send(b"\0", FULL)
        came = tap.watch(2 * wait, lambda one: flow.owns(one) and not one.outgoing)
        if not came or not flow.owns(came[-1]) or came[-1].outgoing:
            return "silent"
        if came[-1].flags & RST:
            return "reset"
    return ""


def _says(packet: SeenPacket) -> bool:
    return bool(packet.payload or packet.flags & (RST | FIN))


@contextmanager
def opened(
    lure: Lure, port: int = 0, wait: float = 1.0, ttl: int = FULL, syns: int = 0
) -> Iterator[socket.socket]:
    """A connection of the kernel's, aborted at the end: no packet of it follows. OSError if there is none.

    syns: how many times a lost SYN is sent again at most, 0: as often as `wait` allows.
    """
    six = ":" in lure.address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        set_ttl(sock, ttl, six=six)
        sock.bind(("", port))
        if syns:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, syns)
        sock.settimeout(2 * wait + 1)  # a lost SYN is sent again after a second
        sock.connect((lure.address, lure.port))
        yield sock


def flow_of(tap: Wiretap, sock: socket.socket, wait: float) -> TcpFlow | None:
    """The flow of a connection that has just been opened, from its SYN+ACK."""
    near, far = sock.getsockname()[:2], sock.getpeername()[:2]
    due = time.monotonic() + wait

    def is_synack(one: SeenPacket) -> bool:
        same = (one.source, one.sport, one.dport) == (*far, near[1])
        return not one.outgoing and same and bool(one.flags & SYN)

    found = next(filter(is_synack, tap.watch(max(0.0, due - time.monotonic()), is_synack)), None)
    return TcpFlow(near, far, found.ack, (found.seq + 1) & 0xFFFFFFFF, found) if found else None
