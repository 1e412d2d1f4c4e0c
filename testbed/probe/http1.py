"""HTTP/1.1 over a connection: one GET or PUT, the response, and the speed of bulk transfers."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import h11

from testbed.measurement.ooni import HttpExchange, HttpRequest, HttpResponse
from testbed.measurement.target import Connection, Target
from testbed.probe import failure
from testbed.probe.connection import TcpConnection, TlsConnection
from testbed.probe.failure import MeasurementError
from testbed.probe.log import TRANSACTION, MeasurementLog
from testbed.probe.speed import BULK_BOUND, Speedometer

_KEPT = 8192  # bytes of the body that are recorded
_PIECE = 16384  # bytes of an upload per write: one TLS record
_USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:97.0) Gecko/20100101 Firefox/97.0"


@dataclass(slots=True)
class IncomingResponse:
    """What has come of a response so far. Filled by both HTTP/1.1 and HTTP/3."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""  # its beginning
    size: int = 0  # bytes of body in all
    complete: bool = False
    digest: Any = field(default_factory=sha256)

    def add(self, data: bytes) -> None:
        """Take in a piece of the body."""
        self.size += len(data)
        self.digest.update(data)
        self.body += data[: _KEPT - len(self.body)]

    @property
    def redirect(self) -> bool:
        """Whether the status is a redirect, so that the body does not matter."""
        return 300 <= self.status < 400

    def record(self) -> HttpResponse | None:
        """For the measurement; None if no status line came."""
        if not self.status:
            return None
        return HttpResponse(
            code=self.status,
            headers_list=tuple(self.headers),
            body=self.body.decode("utf-8", "replace"),
            body_is_truncated=self.size > len(self.body) or not self.complete,
            body_bytes=self.size,
            body_sha256=self.digest.hexdigest(),
            complete=self.complete,
        )


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A GET of the target's path, or a PUT of `upload` zero bytes."""

    target: Target
    upload: int = 0

    @property
    def method(self) -> str:
        """GET or PUT."""
        return "PUT" if self.upload else "GET"

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Headers of a plain, browser-like request."""
        headers = [
            ("Host", self.target.authority),
            ("User-Agent", _USER_AGENT),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        return headers + ([("Content-Length", str(self.upload))] if self.upload else [])

    def record(self, network: str) -> HttpRequest:
        """For the measurement; `network` is tcp or udp."""
        return HttpRequest(self.method, self.target.url, network, tuple(self.headers))


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
    network = "udp" if alpn == "h3" else "tcp"
    log.requests.append(
        HttpExchange(
            request=request.record(network),
            response=response.record(),
            failure=problem,
            network=network,
            address=address,
            alpn=alpn,
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
    response, begun, problem = IncomingResponse(), log.now(), None
    tcp.allow(BULK_BOUND if request.target.bulk else patience)
    try:
        _exchange(log, connection, tcp, request, response)
    except (OSError, EOFError, MeasurementError) as error:
        problem = failure.of(error)
    log_exchange(log, request, response, problem, begun, tcp.where, "http/1.1")
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
            raw = event.headers.raw_items()
            response.headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in raw]
            if response.redirect:
                return
        elif isinstance(event, h11.Data):
            response.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            response.complete = True
            return


def _send_body(connection: Connection, tcp: TcpConnection, size: int, http: h11.Connection) -> None:
    tcp.send_as_it_leaves()
    for at in range(0, size, _PIECE):
        connection.send(http.send(h11.Data(data=bytes(min(_PIECE, size - at)))) or b"")
