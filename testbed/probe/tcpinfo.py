"""The kernel's counters of a TCP connection: enough to distinguish silence from a peer that still sends."""

import socket
import struct
from dataclasses import asdict, dataclass

from testbed.measurement.ooni import TcpInfo

_TCP_INFO = 11
_SIZE = 144  # bytes; Linux 4.2 and later have as many
# Offsets in struct tcp_info (linux/tcp.h); the structure only ever grows at its end.
_LAYOUT = {"retransmits": ("B", 2), "rtt_us": ("I", 68), "bytes_acked": ("Q", 120), "segments_in": ("I", 140)}


@dataclass(frozen=True, slots=True)
class TcpCounters:
    """Four counters of one connection."""

    retransmits: int  # of the oldest unacknowledged segment
    rtt_us: int  # smoothed, microseconds
    bytes_acked: int  # of ours, the SYN counted as one
    segments_in: int  # every segment that reached this socket, also those without new data

    def record(self) -> TcpInfo:
        """For the measurement."""
        return TcpInfo(**asdict(self))


def read(sock: socket.socket) -> TcpCounters:
    """Read the counters."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    return TcpCounters(**{name: struct.unpack_from(kind, raw, at)[0] for name, (kind, at) in _LAYOUT.items()})
