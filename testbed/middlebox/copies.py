"""Copies of packets that have passed: what a censor learns of a flow before it has to decide anything.

The kernel's NFLOG (nfnetlink_log) puts each into a socket, a message for itself, before its packet goes on.
So whoever reads the socket before judging a later packet of the flow has seen all that came before it.
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

from testbed.errors import UnsupportedError

# From linux/netlink.h, linux/netfilter/nfnetlink.h and nfnetlink_log.h:
_REQUEST, _ACKNOWLEDGED = 0x1, 0x4  # NLM_F_REQUEST, NLM_F_ACK
_NETFILTER: Final = 12  # NETLINK_NETFILTER
_CONFIGURE: Final = 0x0401  # NFULNL_MSG_CONFIG of NFNL_SUBSYS_ULOG
_COMMAND, _MODE, _SIZE = 1, 2, 3  # NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_NLBUFSIZ
_BIND, _WHOLE = 1, 2  # NFULNL_CFG_CMD_BIND, NFULNL_COPY_PACKET
_INDEV, _PAYLOAD = 4, 9  # NFULA_IFINDEX_INDEV, NFULA_PAYLOAD

_HEADERS: Final = struct.Struct("=IHHIIBBH")  # nlmsghdr and nfgenmsg; the resource is in network order
_ATTRIBUTE: Final = struct.Struct("=HH")  # nlattr: length, type
_ROOM: Final = 320  # bytes for one copy; the kernel's own choice, 4,096, fills the socket with 80 packets
_HEAD: Final = _ATTRIBUTE.size
_LINK_HEAD: Final = _ATTRIBUTE.pack(_HEAD + 4, _INDEV)
_PACKET_KIND: Final = struct.pack("=H", _PAYLOAD)
_LONGEST: Final = 1 << 16
_SO_RCVBUFFORCE: Final = 33


class CopiesLostError(Exception):
    """The socket was full: the censor does not know what passed."""


class Copies:
    """Reads them from the current network namespace's NFLOG group `number`."""

    def __init__(self, number: int, size: int) -> None:
        """`size`: bytes of the socket's buffer that are asked for. UnsupportedError without NFLOG."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER)
        self._socket.bind((0, 0))
        self._places = len(_LINK_HEAD), len(_LINK_HEAD)  # of link and packet in the last message
        self._configure(number, _COMMAND, struct.pack("=B", _BIND))
        self._configure(number, _MODE, struct.pack("!IBB", _LONGEST, _WHOLE, 0))
        self._configure(number, _SIZE, struct.pack("!I", _ROOM))
        enlarge(self._socket, size)
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """Readable once there are some."""
        return self._socket.fileno()

    def read(self) -> Iterator[tuple[bytes, int]]:
        """Each packet that has passed since, with the number of the link on which it came.

        Errors: CopiesLostError if there were more than the socket holds; the next call goes on.
        """
        receive = self._socket.recv
        while True:
            try:
                data = receive(_LONGEST)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                raise CopiesLostError(
                    "more packets passed at once than the socket for copies holds"
                ) from error
            link, packet = self._places
            if data[link - _HEAD : link] != _LINK_HEAD or data[packet - 2 : packet] != _PACKET_KIND:
                link, packet = self._places = _places(data)
            size = int.from_bytes(data[packet - _HEAD : packet - 2], sys.byteorder) - _HEAD
            yield data[packet : packet + size], int.from_bytes(data[link : link + 4], "big")

    def close(self) -> None:
        """No copies are made any more."""
        self._socket.close()

    def _configure(self, number: int, kind: int, value: bytes) -> None:
        attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
        size = _HEADERS.size + len(attribute)
        flags = _REQUEST | _ACKNOWLEDGED
        head = _HEADERS.pack(size, _CONFIGURE, flags, 0, 0, 0, 0, socket.htons(number))
        self._socket.send(head + attribute)
        answer = self._socket.recv(_LONGEST)
        code = -int.from_bytes(answer[16:20], "little", signed=True)
        if code:
            raise UnsupportedError(
                f"the kernel sends no copies of packets (NFLOG): {errno.errorcode.get(code, code)}; "
                "it needs nfnetlink_log, and no other reader of this group (see testbed doctor)"
            )


def enlarge(receiver: socket.socket, size: int) -> None:
    """Give a socket the largest buffer we are allowed; the kernel cuts the second request down."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _places(message: bytes) -> tuple[int, int]:
    """Where a message has the link and the packet: the same in all that come by one rule and kind of link."""
    at, found = _HEADERS.size, {}
    while at < len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        found[kind] = at + _HEAD
        at += length + 3 & ~3
    return found[_INDEV], found[_PAYLOAD]
