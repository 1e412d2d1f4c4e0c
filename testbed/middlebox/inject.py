"""Sending packets that a censor makes itself, as they are."""

import socket
from ipaddress import IPv4Address, IPv6Address

from testbed.errors import UnsupportedError
from testbed.middlebox.marks import Marks

_MAX_WAITING = 1 << 20  # bytes in each socket's send buffer, as far as the kernel allows; our choice


class Injector:
    """Two raw sockets, one per IP version, that take whole packets.

    The kernel routes by the destination, computes IPv4's header checksum and replaces an IP-ID of 0; the
    mark asks the output chain to set it back (see `marks`) and to count the packet for its rule.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._v4 = _raw(socket.AF_INET)
        self._v6 = _raw(socket.AF_INET6)  # IPPROTO_RAW means that we write the header, for IPv6 as well

    def send(self, packet: bytes, rule: int | None) -> None:
        """Send one packet on behalf of a rule. OSError if the kernel refuses it or its buffer is full."""
        mark = self._marks.injected(packet, rule)
        if packet[0] >> 4 == 4:
            _send(self._v4, packet, (str(IPv4Address(packet[16:20])), 0), mark)
        else:
            _send(self._v6, packet, (str(IPv6Address(packet[24:40])), 0, 0, 0), mark)

    def close(self) -> None:
        """Close the sockets."""
        self._v4.close()
        self._v6.close()


def _raw(family: int) -> socket.socket:
    try:
        raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError as refusal:
        remedy = "in Docker add --cap-add NET_RAW; see `testbed doctor`"
        raise UnsupportedError(
            f"raw sockets: this process may not open them, so nothing can be injected; {remedy}"
        ) from refusal
    raw.settimeout(0)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_WAITING)
    return raw


def _send(raw: socket.socket, packet: bytes, to: tuple[object, ...], mark: int) -> None:
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    raw.sendto(packet, to)
