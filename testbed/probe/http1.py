"""HTTP/1.1 over a stream: one GET or PUT, the answer as df-001 wants it, and the speed of bulk transfers."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import h11

from testbed.probe import failure
from testbed.probe.aim import Aim
from testbed.probe.failure import MeasurementError
from testbed.probe.record import Notebook
from testbed.probe.speed import BULK_BOUND, Speedometer
from testbed.probe.stream import Stream, TcpStream, TlsStream

_KEPT = 8192  # bytes of the body that are written down
_PIECE = 16384  # bytes of an upload per write: one TLS record
_USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:97.0) Gecko/20100101 Firefox/97.0"


@dataclass(slots=True)
class Answer:
    """What came back, as far as it came. Filled by both HTTP/1.1 and HTTP/3."""

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
        """Whether it sends one elsewhere, so that the body says nothing more."""
        return 300 <= self.status < 400

    def to_json(self) -> dict[str, Any] | None:
        """The response block of df-001, None if no status line came."""
        if not self.status:
            return None
        return {
            "code": self.status,
            "headers_list": [list(pair) for pair in self.headers],
            "body": self.body.decode("utf-8", "replace"),
            "body_is_truncated": self.size > len(self.body) or not self.complete,
            "x_body_bytes": self.size,
            "x_body_sha256": self.digest.hexdigest(),
            "x_complete": self.complete,
        }


def request_headers(aim: Aim) -> list[tuple[str, str]]:
    """Headers of a plain, browser-like request."""
    headers = [
        ("Host", aim.authority),
        ("User-Agent", _USER_AGENT),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ]
    return headers + ([("Content-Length", str(aim.upload))] if aim.upload else [])


def note_request(
    book: Notebook, aim: Aim, answer: Answer, problem: str | None, begun: float, **network: str
) -> None:
    """Write the `requests` entry; `network` is df-001's network, address and alpn."""
    request: dict[str, Any] = {"method": "PUT" if aim.upload else "GET", "url": aim.url}
    request |= {
        "x_transport": network["network"],
        "headers_list": [list(pair) for pair in request_headers(aim)],
    }
    entry = {"request": request, "response": answer.to_json(), "failure": problem}
    book.note("requests", entry | network, begun)


def fetch(book: Notebook, stream: TcpStream | TlsStream, aim: Aim, patience: float) -> None:
    """Ask for `aim` and read the answer; MeasurementError if it does not come whole.

    `patience` (seconds) ends a page's step; a bulk transfer ends after `BULK_BOUND` and counts as a success.
    """
    tcp = stream.tcp if isinstance(stream, TlsStream) else stream
    answer, begun, problem = Answer(), book.now(), None
    tcp.allow(BULK_BOUND if aim.bulk else patience)
    try:
        _exchange(book, stream, tcp, aim, answer)
    except (OSError, EOFError, MeasurementError) as error:
        problem = failure.of(error)
    network = {"network": "tcp", "address": tcp.where, "alpn": "http/1.1"}
    note_request(book, aim, answer, problem, begun, **network)
    if problem is not None:
        raise MeasurementError(problem)


def _exchange(book: Notebook, stream: Stream, tcp: TcpStream, aim: Aim, answer: Answer) -> None:
    talk, method = h11.Connection(h11.CLIENT), "PUT" if aim.upload else "GET"
    stream.send(talk.send(h11.Request(method=method, target=aim.path, headers=request_headers(aim))) or b"")
    meter = _watching(tcp, Speedometer(book, "up" if aim.upload else "down")) if aim.bulk else None
    try:
        if aim.upload:
            _send_body(stream, tcp, aim.upload, talk)
        talk.send(h11.EndOfMessage())
        _read_answer(stream, talk, answer)
    except TimeoutError:
        if meter is None or not meter.moving(tcp.silence):
            raise
    finally:
        if meter is not None:
            meter.close(complete=answer.complete)


def _watching(tcp: TcpStream, meter: Speedometer) -> Speedometer:
    """Count what crosses the wire: TLS hands a record's bytes out only when all 16 KiB of it are there."""
    received, acked = tcp.received, tcp.info().bytes_acked
    if meter.direction == "down":
        tcp.watch = lambda: meter.reached(tcp.received - received)
    else:  # what the far end acknowledged: the kernel's own buffer would swallow megabytes at once
        tcp.watch = lambda: meter.reached(tcp.info().bytes_acked - acked)
    return meter


def _read_answer(stream: Stream, talk: h11.Connection, answer: Answer) -> None:
    ended = False
    while True:
        try:
            event = talk.next_event()
        except h11.RemoteProtocolError:
            if ended:
                raise EOFError from None
            raise MeasurementError("http_request_failed") from None
        if event is h11.NEED_DATA:
            talk.receive_data(data := stream.receive())
            ended = not data
        elif isinstance(event, h11.Response):
            answer.status = event.status_code
            raw = event.headers.raw_items()
            answer.headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in raw]
            if answer.redirect:
                return
        elif isinstance(event, h11.Data):
            answer.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            answer.complete = True
            return


def _send_body(stream: Stream, tcp: TcpStream, size: int, talk: h11.Connection) -> None:
    tcp.send_as_it_leaves()
    for at in range(0, size, _PIECE):
        stream.send(talk.send(h11.Data(data=bytes(min(_PIECE, size - at)))) or b"")
