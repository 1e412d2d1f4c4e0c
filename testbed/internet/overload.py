"""Servers that are overloaded: of the connections that arrive, a share is reset or never answered."""

import random
import socket
import struct
from collections import deque
from typing import Any, Self
from zlib import crc32

from testbed.model import Behaviour

_KEPT = 4096  # connections left without an answer; our choice: older ones are closed
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets


def overloaded(listening: socket.socket, given: Behaviour) -> socket.socket:
    """The socket, taking its connections or datagrams as an overloaded server does."""
    kind = _Listening if listening.type == socket.SOCK_STREAM else _Datagrams
    return kind.of(listening, given)


class _Overloaded(socket.socket):
    """What the two kinds share: `given`, and chance by the socket's own name."""

    given: Behaviour

    @classmethod
    def of(cls, bound: socket.socket, given: Behaviour) -> Self:
        made = cls(bound.family, bound.type, bound.proto, fileno=bound.detach())
        made.setblocking(False)  # noqa: FBT003
        made.given = given
        made.begin()
        return made

    def begin(self) -> None:
        """Make what the kind needs."""


class _Listening(_Overloaded):
    def begin(self) -> None:
        self.chance = random.Random(str(self.getsockname()))
        self.kept: deque[socket.socket] = deque()

    def close(self) -> None:
        """The kept connections go with it."""
        while self.kept:
            self.kept.popleft().close()
        super().close()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that is served. BlockingIOError if none waits."""
        while True:
            connection, address = super().accept()
            fate = self.chance.random()
            if fate < self.given.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                connection.close()
            elif fate < self.given.resets + self.given.silent:
                self.kept.append(connection)
                if len(self.kept) > _KEPT:
                    self.kept.popleft().close()
            else:
                return connection, address


class _Datagrams(_Overloaded):
    """A flow is served or not, by its client's address and port. No datagram resets anything."""

    def recvfrom(self, *rest: Any) -> tuple[bytes, Any]:
        """The next datagram of a flow that is served. BlockingIOError if none waits."""
        while True:
            data, client = super().recvfrom(*rest)
            if crc32(repr(client).encode()) / 2**32 >= self.given.silent:
                return data, client
