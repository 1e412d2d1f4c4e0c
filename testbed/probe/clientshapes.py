"""How a server, or somebody before it, answers the first bytes of a named client."""

import socket
from typing import Final, Literal

from testbed.probe.provoke import Lure, opened
from testbed.shapes.known import ClientShape

_HANDSHAKE, _ALERT, _SERVER_HELLO = 22, 21, 2  # RFC 8446 5.1, 4
_ENOUGH: Final = 6  # bytes: a record's header and the type of its first message

ShapeAnswer = Literal[
    "ServerHello", "an alert", "something else", "reset", "closed", "silence", "no connection"
]


def try_shape(
    shape: ClientShape, name: str, address: str, port: int, draw: int, timeout: float
) -> ShapeAnswer:
    """Send the shape's ClientHello for `name`, as the kernel cuts it into segments, and read what comes.

    `draw` numbers the connection, for shapes that vary. `timeout`: seconds without an answer.
    """
    assert shape.hello is not None
    said = shape.hello(name, draw)
    try:
        with opened(Lure(address, port, said, b""), wait=timeout / 2) as sock:
            return _answer(sock, said, timeout)
    except OSError:
        return "no connection"


def _answer(sock: socket.socket, said: bytes, timeout: float) -> ShapeAnswer:
    sock.settimeout(timeout)
    came = b""
    try:
        sock.sendall(said)
        while len(came) < _ENOUGH:
            if not (more := sock.recv(65536)):
                break
            came += more
    except TimeoutError:
        return "silence"
    except OSError:
        return "reset"
    if len(came) < _ENOUGH:
        return "closed"
    if came[0] == _ALERT:
        return "an alert"
    return "ServerHello" if (came[0], came[5]) == (_HANDSHAKE, _SERVER_HELLO) else "something else"
