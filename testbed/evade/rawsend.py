"""Sending a flight on an open connection of this kernel, byte for byte: decoys, faults and order as planned.

The kernel takes the real bytes as sent (TCP_REPAIR of linux/tcp.h), so it acknowledges, retransmits and
goes on as ever; the packets themselves leave by a raw socket. That takes CAP_NET_ADMIN and CAP_NET_RAW in
the network namespace, which every world gives.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

from testbed.errors import UnsupportedError
from testbed.evade.forge import SenderFlow
from testbed.evade.segment import Flight, in_sequence

_REPAIR, _QUEUE, _QUEUE_SEQ, _TIMESTAMP, _RTO_MIN = 19, 20, 21, 24, 45  # linux/tcp.h
_ON, _OFF_WITHOUT_PROBE = 1, -1
_RECEIVING, _SENDING = 1, 2
_PATIENCE: Final = 2_000_000  # µs before the kernel sends the bytes again in its own form; our choice
_HAS_STAMPS: Final = 1  # tcpi_options


def require_raw() -> None:
    """UnsupportedError unless this process may send packets of its own making."""
    try:
        with socket.socket() as tried:
            tried.setsockopt(socket.IPPROTO_TCP, _REPAIR, _ON)
            tried.setsockopt(socket.IPPROTO_TCP, _REPAIR, _OFF_WITHOUT_PROBE)
        _raw(socket.AF_INET).close()
    except OSError as error:
        why = f"packets of its own making cannot be sent here: {error.strerror}"
        raise UnsupportedError(f"{why}; run it in a world, or as root of a network namespace") from error


def send_flight(writer: asyncio.StreamWriter, flight: Flight) -> None:
    """Send the first data of a connection as these packets. OSError if the kernel refuses."""
    sock: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):  # Linux 6.15; without it the first retransmission may come sooner
        sock.setsockopt(socket.IPPROTO_TCP, _RTO_MIN, _PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, _REPAIR, _ON)
    try:
        flow = _flow(sock)
        writer.write(in_sequence(flight))
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, _REPAIR, _OFF_WITHOUT_PROBE)
    with _raw(sock.family) as raw:
        for segment in flight:
            raw.sendto(flow.packet(segment), (flow.destination, 0))


def _flow(sock: socket.socket) -> SenderFlow:
    ours, theirs = sock.getsockname(), sock.getpeername()
    ack = _sequence(sock, _RECEIVING)
    start = _sequence(sock, _SENDING)  # last: what is written now goes into that queue
    stamped = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & _HAS_STAMPS
    stamp = sock.getsockopt(socket.IPPROTO_TCP, _TIMESTAMP) & 0xFFFFFFFF if stamped else None
    return SenderFlow(ours[0], theirs[0], ours[1], theirs[1], start, ack, stamp)


def _sequence(sock: socket.socket, queue: int) -> int:
    sock.setsockopt(socket.IPPROTO_TCP, _QUEUE, queue)
    found: int = struct.unpack("I", sock.getsockopt(socket.IPPROTO_TCP, _QUEUE_SEQ, 4))[0]
    return found


def _raw(family: int) -> socket.socket:
    return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
