"""QUIC handshake and one HTTP/3 request, by aioquic. Heavy: imported only where a target asks for it."""

import asyncio
import socket
import ssl
from typing import Any, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent

from testbed.probe import failure
from testbed.probe.aim import Aim, spelled
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import Answer, note_request
from testbed.probe.record import Notebook
from testbed.probe.speed import BULK_BOUND, Speedometer

_CRYPTO_ERROR = 0x100  # QUIC carries TLS alerts as 0x100 + alert (RFC 9001 §4.8)
_UNKNOWN_CA, _BAD_CERTIFICATE, _NO_APPLICATION_PROTOCOL = 48, 42, 120


class _Client(QuicConnectionProtocol):
    """Writes down the datagrams, and collects one answer."""

    def __init__(self, quic: QuicConnection, book: Notebook, where: str) -> None:
        super().__init__(quic)
        self.book, self.where = book, where
        self.answer = Answer()
        self.meter: Speedometer | None = None
        self.http: H3Connection | None = None
        self.shaken = False
        self.ended: str | None = None  # a failure
        self.news = asyncio.Event()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        self.book.event("read_from", self.book.now(), address=self.where, proto="udp", size=len(data))
        self.news.set()
        super().datagram_received(cast("bytes", data), addr)

    def transmit(self) -> None:
        begun, before = (
            self.book.now(),
            self._quic._network_paths[0].bytes_sent if self._quic._network_paths else 0,
        )
        super().transmit()
        if self._quic._network_paths and (size := self._quic._network_paths[0].bytes_sent - before):
            self.book.event("write_to", begun, address=self.where, proto="udp", size=size)

    def _sent(self) -> int:
        return sum(path.bytes_sent for path in self._quic._network_paths)

    def error_received(self, exc: Exception) -> None:
        self.finish(failure.of(exc))

    def finish(self, problem: str) -> None:
        """End with a failure."""
        self.ended = self.ended or problem
        self.news.set()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.shaken = True
        elif isinstance(event, ConnectionTerminated):
            self.finish(_terminated(event))
        if self.http is not None:
            for part in self.http.handle_event(event):
                self._take(part)
        self.news.set()

    def _take(self, part: object) -> None:
        if isinstance(part, HeadersReceived):
            pairs = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in part.headers]
            self.answer.status = int(dict(pairs).get(":status", 0))
            self.answer.headers = [pair for pair in pairs if not pair[0].startswith(":")]
            self.answer.complete = part.stream_ended
        elif isinstance(part, DataReceived):
            self.answer.add(part.data)
            self.answer.complete = part.stream_ended
            if self.meter:
                self.meter.reached(self.answer.size)

    def ask(self, aim: Aim) -> None:
        """Send the request."""
        self.http, self.meter = H3Connection(self._quic), Speedometer(self.book, "down")
        headers = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", aim.authority),
            (":path", aim.path),
        ]
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(k.encode(), v.encode()) for k, v in headers], end_stream=True)
        self.transmit()

    async def until(self, done: Any, silence: float, limit: float) -> None:
        """Wait until `done()`; MeasurementError when it ends, is silent, or takes too long."""
        end = asyncio.get_running_loop().time() + limit
        while not done():
            if self.ended is not None:
                raise MeasurementError(self.ended)
            left = min(silence, end - asyncio.get_running_loop().time())
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), max(left, 0))
            except TimeoutError:
                raise MeasurementError(failure.TIMEOUT) from None


def fetch(
    book: Notebook, aim: Aim, address: str, ca_file: str | None, silence: float, patience: float
) -> None:
    """Shake hands with `address`, ask for `aim`; MeasurementError with the df-007 string.

    `silence` (seconds) is how long no datagram may come, `patience` how long each of both steps may last.
    """
    asyncio.run(_fetch(book, aim, address, ca_file, silence, patience))


async def _fetch(
    book: Notebook, aim: Aim, address: str, ca_file: str | None, silence: float, patience: float
) -> None:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=aim.host)
    configuration.load_verify_locations(cafile=ca_file or ssl.get_default_verify_paths().cafile)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = spelled(address, aim.port)
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Client(QuicConnection(configuration=configuration), book, where),
        remote_addr=(address, aim.port),
        family=family,
    )
    try:
        begun, problem = book.now(), None
        try:
            client.connect(transport.get_extra_info("peername"))
            await client.until(lambda: client.shaken, silence, patience)
        except MeasurementError as error:
            problem = str(error)
            raise
        finally:
            _note_handshake(book, aim, where, problem, begun)
        await _ask(book, aim, client, silence, BULK_BOUND if aim.bulk else patience)
    finally:
        client.close()
        transport.close()


def _note_handshake(book: Notebook, aim: Aim, where: str, problem: str | None, begun: float) -> None:
    entry: dict[str, Any] = {"network": "udp", "address": where, "server_name": aim.host, "failure": problem}
    entry |= {"no_tls_verify": False, "peer_certificates": [], "cipher_suite": "", "so_error": None}
    entry |= {"tls_version": "" if problem else "TLSv1.3", "negotiated_protocol": "" if problem else "h3"}
    book.note("tls_handshakes", entry, begun)


async def _ask(book: Notebook, aim: Aim, client: _Client, silence: float, patience: float) -> None:
    begun, problem = book.now(), None
    client.ask(aim)
    try:
        await client.until(lambda: client.answer.complete or client.answer.redirect, silence, patience)
    except MeasurementError as error:
        moving = client.meter is not None and client.meter.moving(silence)
        if not (aim.bulk and moving and str(error) == failure.TIMEOUT):
            problem = str(error)
            raise
    finally:
        if aim.bulk and client.meter is not None:
            client.meter.close(complete=client.answer.complete)
        network = {"network": "udp", "address": client.where, "alpn": "h3"}
        note_request(book, aim, client.answer, problem, begun, **network)


def _terminated(event: ConnectionTerminated) -> str:
    alert = event.error_code - _CRYPTO_ERROR
    if alert in {_UNKNOWN_CA, _BAD_CERTIFICATE}:
        name = "hostname" in event.reason_phrase.lower() or "doesn't match" in event.reason_phrase
        return "ssl_invalid_hostname" if name else "ssl_unknown_authority"
    if alert == _NO_APPLICATION_PROTOCOL or 0 < alert < 256:
        return "ssl_failed_handshake"
    return failure.EOF
