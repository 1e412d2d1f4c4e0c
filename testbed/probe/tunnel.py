"""Through a proxy to a target: the client's side of SOCKS 5 (RFC 1928) and HTTP CONNECT (RFC 9110 9.3.6)."""

import errno
import os
from ipaddress import ip_address

from testbed.measurement.passage import Endpoint
from testbed.measurement.target import endpoint_text
from testbed.probe.connection import TcpConnection
from testbed.probe.failure import UNKNOWN, MeasurementError

_MOST_HEAD = 16384  # bytes; our choice
_ERRORS = {2: errno.EACCES, 3: errno.ENETUNREACH, 4: errno.EHOSTUNREACH, 5: errno.ECONNREFUSED}
_TTL_EXPIRED = 6


def ask_proxy(connection: TcpConnection, proxy: Endpoint, host: str, port: int) -> None:
    """Have the proxy at the other end of `connection` connect to `host`, whose name it resolves.

    Errors: OSError as if the target itself had answered so, where the proxy says why; MeasurementError
    otherwise; EOFError if it closes.
    """
    reader = _Reader(connection)
    if proxy.scheme == "http":
        _http(reader, endpoint_text(host, port))
    else:
        _socks(reader, host, port)


class _Reader:
    def __init__(self, connection: TcpConnection) -> None:
        self.connection, self._rest = connection, b""

    def exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._more()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self._rest:
            if len(self._rest) > _MOST_HEAD:
                raise MeasurementError(f"{UNKNOWN}: the proxy's answer has no end")
            self._more()
        return self._rest

    def _more(self) -> None:
        if not (data := self.connection.receive()):
            raise EOFError
        self._rest += data


def _socks(reader: _Reader, host: str, port: int) -> None:
    reader.connection.send(bytes([5, 1, 0]))
    if reader.exactly(2)[1] != 0:
        raise MeasurementError(f"{UNKNOWN}: the proxy asks for a password")
    reader.connection.send(bytes([5, 1, 0]) + _socks_address(host) + port.to_bytes(2, "big"))
    _, reply, _, kind = reader.exactly(4)
    reader.exactly({1: 4, 4: 16}.get(kind) or reader.exactly(1)[0])
    reader.exactly(2)
    if reply == _TTL_EXPIRED:
        raise TimeoutError
    if reply in _ERRORS:
        raise OSError(_ERRORS[reply], os.strerror(_ERRORS[reply]))
    if reply:
        raise MeasurementError(f"{UNKNOWN}: the proxy cannot connect (reply {reply} of RFC 1928)")


def _socks_address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        return bytes([3, len(host)]) + host.encode("ascii")
    return bytes([1 if address.version == 4 else 4]) + address.packed


def _http(reader: _Reader, authority: str) -> None:
    reader.connection.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    status = reader.head().split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if len(status) < 2 or status[1] != "200":
        raise MeasurementError(f"{UNKNOWN}: the proxy answers {' '.join(status[1:])!r}")
