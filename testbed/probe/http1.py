"""HTTP/1.1 over a connection: one GET or PUT, the response, and the speed of bulk transfers."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import h11

from testbed.measurement.ooni import (
    HeadersList,
    HttpExchange,
    HttpRequest,
    HttpResponse,
    TorInfo,
    headers_map,
    maybe_binary,
)
from testbed.measurement.target import Connection, Target, endpoint_text
from testbed.probe import failure
from testbed.probe.connection import TcpConnection, TlsConnection
from testbed.probe.failure import MeasurementError
from testbed.probe.log import TRANSACTION, MeasurementLog
from testbed.probe.speed import BULK_BOUND, Speedometer

_KEPT = 1 << 17  # bytes of a page's body that are recorded, as in OONI's urlgetter
_KEPT_OF_BULK = 1 << 13  # of a bulk transfer: it says nothing, and would fill the disk
_PIECE = 16384  # bytes of an upload per write: one TLS record
_USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:97.0) Gecko/20100101 Firefox/97.0"


@dataclass(slots=True)
class IncomingResponse:
    """What has come of a response so far. Filled by every version of HTTP."""

    kept: int = _KEPT  # bytes of the body to record
    status: int = 0  # 0 until a status line came
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""  # its beginning
    size: int = 0  # bytes of body in all
    complete: bool = False
    digest: Any = field(default_factory=sha256)

    def add(self, data: bytes) -> None:
        """Take in a piece of the body."""
        self.size += len(data)
        self.digest.update(data)
        self.body += data[: self.kept - len(self.body)]

    def record(self) -> HttpResponse:
        """For the measurement. Empty, with code 0, if no status line came: OONI writes it so."""
        headers = tuple((name.decode("latin-1"), maybe_binary(value)) for name, value in self.headers)
        return HttpResponse(
            body=maybe_binary(self.body),
            body_is_truncated=self.size > len(self.body),
            code=self.status,
            headers_list=headers,
            headers=headers_map(headers),
            body_bytes=self.size,
            body_sha256=self.digest.hexdigest(),
            complete=self.complete,
        )


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A GET of the target's path, or a PUT of `upload` zero bytes."""

    target: Target
    secure: bool  # over TLS or QUIC
    version: Literal["1.1", "2", "3"] = "1.1"
    upload: int = 0

    @property
    def method(self) -> str:
        """GET or PUT."""
        return "PUT" if self.upload else "GET"

    @property
    def scheme(self) -> str:
        """http or https, however the target's kind calls itself."""
        return "https" if self.secure else "http"

    @property
    def authority(self) -> str:
        """Host and port, the port only if it is not the scheme's own."""
        text = endpoint_text(self.target.host, self.target.port)
        return text.rpartition(":")[0] if self.target.port == (443 if self.secure else 80) else text

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that are sent, as a browser does. HTTP/2 and HTTP/3 have no Host (RFC 9113, 9114)."""
        if self.version != "1.1":
            return [("user-agent", _USER_AGENT), ("accept", "*/*")]
        headers = [
            ("Host", self.authority),
            ("User-Agent", _USER_AGENT),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        return headers + ([("Content-Length", str(self.upload))] if self.upload else [])

    def response(self) -> IncomingResponse:
        """Where its response goes."""
        return IncomingResponse(_KEPT_OF_BULK if self.target.bulk else _KEPT)

    def record(self) -> HttpRequest:
        """For the measurement."""
        headers: HeadersList = tuple(self.headers)
        return HttpRequest(
            body="",
            body_is_truncated=self.upload > 0,
            headers_list=headers,
            headers=headers_map(headers),
            method=self.method,
            tor=TorInfo(is_tor=False),
            transport="udp" if self.version == "3" else "tcp",
            url=f"{self.scheme}://{self.authority}{self.target.path}",
        )


def log_exchange(
    log: MeasurementLog,
    request: OutgoingRequest,
    response: IncomingResponse,
    problem: str | None,
    begun: float,
    address: str,
    alpn: str,
) -> None:
    """Log the exchange; `problem` is the failure string, None if the response came whole."""
    log.mark("http_transaction_done")
    log.requests.append(
        HttpExchange(
            network="udp" if request.version == "3" else "tcp",
            address=address,
            alpn=alpn or None,
            failure=problem,
            request=request.record(),
            response=response.record(),
            t0=begun,
            t=log.now(),
            transaction_id=TRANSACTION,
        )
    )


def fetch(
    log: MeasurementLog, connection: TcpConnection | TlsConnection, request: OutgoingRequest, patience: float
) -> None:
    """Send the request and read the response; MeasurementError if it does not come whole.

    `patience` (seconds) ends a page's step; a bulk transfer ends after `BULK_BOUND` and counts as a success.
    """
    tcp = connection.tcp if isinstance(connection, TlsConnection) else connection
    response, begun, problem = request.response(), log.now(), None
    log.mark("http_transaction_start")
    tcp.allow(BULK_BOUND if request.target.bulk else patience)
    try:
        _exchange(log, connection, tcp, request, response)
    except (OSError, EOFError, MeasurementError) as error:
        problem = failure.of(error)
    alpn = connection.alpn if isinstance(connection, TlsConnection) else ""
    log_exchange(log, request, response, problem, begun, tcp.where, alpn)
    if problem is not None:
        raise MeasurementError(problem)


def _exchange(
    log: MeasurementLog,
    connection: Connection,
    tcp: TcpConnection,
    request: OutgoingRequest,
    response: IncomingResponse,
) -> None:
    http = h11.Connection(h11.CLIENT)
    head = h11.Request(method=request.method, target=request.target.path, headers=request.headers)
    connection.send(http.send(head) or b"")
    speed = Speedometer(log, "up" if request.upload else "down")
    meter = _watching(tcp, speed) if request.target.bulk else None
    try:
        if request.upload:
            _send_body(connection, tcp, request.upload, http)
        http.send(h11.EndOfMessage())
        _read_response(connection, http, response)
    except TimeoutError:
        if meter is None or not meter.moving(tcp.silence):
            raise
    finally:
        if meter is not None:
            meter.close(complete=response.complete)


def _watching(tcp: TcpConnection, meter: Speedometer) -> Speedometer:
    """Count what crosses the wire: TLS delivers a record's bytes only when all 16 KiB of it are there."""
    received, acked = tcp.received, tcp.info().bytes_acked
    if meter.direction == "down":
        tcp.watch = lambda: meter.reached(tcp.received - received)
    else:  # what the far end acknowledged: the kernel's own buffer takes megabytes at once
        tcp.watch = lambda: meter.reached(tcp.info().bytes_acked - acked)
    return meter


def _read_response(connection: Connection, http: h11.Connection, response: IncomingResponse) -> None:
    ended = False
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            if ended:
                raise EOFError from None
            raise MeasurementError("http_request_failed") from None
        if event is h11.NEED_DATA:
            http.receive_data(data := connection.receive())
            ended = not data
        elif isinstance(event, h11.Response):
            response.status = event.status_code
            response.headers = event.headers.raw_items()
        elif isinstance(event, h11.Data):
            response.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            response.complete = True
            return


def _send_body(connection: Connection, tcp: TcpConnection, size: int, http: h11.Connection) -> None:
    tcp.send_as_it_leaves()
    for at in range(0, size, _PIECE):
        connection.send(http.send(h11.Data(data=bytes(min(_PIECE, size - at)))) or b"")
