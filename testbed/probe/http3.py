"""QUIC handshake and one HTTP/3 request, by aioquic. Slow to import: only for h3:// targets."""

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

from testbed.measurement.ooni import TlsHandshake
from testbed.measurement.target import Target, endpoint_text
from testbed.probe import failure
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import IncomingResponse, OutgoingRequest, log_exchange
from testbed.probe.log import TRANSACTION, MeasurementLog
from testbed.probe.speed import BULK_BOUND, Speedometer

_CRYPTO_ERROR = 0x100  # QUIC carries TLS alerts as 0x100 + alert (RFC 9001 §4.8)
_UNKNOWN_CA, _BAD_CERTIFICATE, _NO_APPLICATION_PROTOCOL = 48, 42, 120


class _Client(QuicConnectionProtocol):
    """Logs the datagrams, and collects one response."""

    def __init__(self, quic: QuicConnection, log: MeasurementLog, where: str) -> None:
        super().__init__(quic)
        self.log, self.where = log, where
        self.response = IncomingResponse()
        self.meter: Speedometer | None = None
        self.http: H3Connection | None = None
        self.handshake_done = False
        self.ended: str | None = None  # a failure
        self.news = asyncio.Event()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        self.log.event("read_from", self.log.now(), address=self.where, proto="udp", size=len(data))
        self.news.set()
        super().datagram_received(cast("bytes", data), addr)

    def transmit(self) -> None:
        begun, before = (
            self.log.now(),
            self._quic._network_paths[0].bytes_sent if self._quic._network_paths else 0,
        )
        super().transmit()
        if self._quic._network_paths and (size := self._quic._network_paths[0].bytes_sent - before):
            self.log.event("write_to", begun, address=self.where, proto="udp", size=size)

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
            self.handshake_done = True
        elif isinstance(event, ConnectionTerminated):
            self.finish(_terminated(event))
        if self.http is not None:
            for part in self.http.handle_event(event):
                self._take(part)
        self.news.set()

    def _take(self, part: object) -> None:
        if isinstance(part, HeadersReceived):
            pairs = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in part.headers]
            self.response.status = int(dict(pairs).get(":status", 0))
            self.response.headers = [pair for pair in pairs if not pair[0].startswith(":")]
            self.response.complete = part.stream_ended
        elif isinstance(part, DataReceived):
            self.response.add(part.data)
            self.response.complete = part.stream_ended
            if self.meter:
                self.meter.reached(self.response.size)

    def request(self, target: Target) -> None:
        """Send the request."""
        self.http, self.meter = H3Connection(self._quic), Speedometer(self.log, "down")
        headers = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", target.authority),
            (":path", target.path),
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
    log: MeasurementLog, target: Target, address: str, ca_file: str | None, silence: float, patience: float
) -> None:
    """Complete a handshake with `address`, request the target; MeasurementError with the df-007 string.

    `silence` (seconds) is how long no datagram may come, `patience` how long each of both steps may last.
    """
    asyncio.run(_fetch(log, target, address, ca_file, silence, patience))


async def _fetch(
    log: MeasurementLog, target: Target, address: str, ca_file: str | None, silence: float, patience: float
) -> None:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=target.host)
    configuration.load_verify_locations(cafile=ca_file or ssl.get_default_verify_paths().cafile)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = endpoint_text(address, target.port)
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Client(QuicConnection(configuration=configuration), log, where),
        remote_addr=(address, target.port),
        family=family,
    )
    log.flow(transport.get_extra_info("socket"), where)
    try:
        begun, problem = log.now(), None
        try:
            client.connect(transport.get_extra_info("peername"))
            await client.until(lambda: client.handshake_done, silence, patience)
        except MeasurementError as error:
            problem = str(error)
            raise
        finally:
            log.tls_handshakes.append(_handshake(log, target, where, problem, begun))
        await _request(log, target, client, silence, BULK_BOUND if target.bulk else patience)
    finally:
        client.close()
        transport.close()


def _handshake(
    log: MeasurementLog, target: Target, where: str, problem: str | None, begun: float
) -> TlsHandshake:
    return TlsHandshake(
        network="udp",
        address=where,
        server_name=target.host,
        failure=problem,
        no_tls_verify=False,
        tls_version="" if problem else "TLSv1.3",
        cipher_suite="",
        negotiated_protocol="" if problem else "h3",
        t0=begun,
        t=log.now(),
        transaction_id=TRANSACTION,
    )


async def _request(
    log: MeasurementLog, target: Target, client: _Client, silence: float, patience: float
) -> None:
    begun, problem = log.now(), None
    client.request(target)
    try:
        await client.until(lambda: client.response.complete or client.response.redirect, silence, patience)
    except MeasurementError as error:
        moving = client.meter is not None and client.meter.moving(silence)
        if not (target.bulk and moving and str(error) == failure.TIMEOUT):
            problem = str(error)
            raise
    finally:
        if target.bulk and client.meter is not None:
            client.meter.close(complete=client.response.complete)
        log_exchange(log, OutgoingRequest(target), client.response, problem, begun, client.where, "h3")


def _terminated(event: ConnectionTerminated) -> str:
    alert = event.error_code - _CRYPTO_ERROR
    if alert in {_UNKNOWN_CA, _BAD_CERTIFICATE}:
        name = "hostname" in event.reason_phrase.lower() or "doesn't match" in event.reason_phrase
        return "ssl_invalid_hostname" if name else "ssl_unknown_authority"
    if alert == _NO_APPLICATION_PROTOCOL or 0 < alert < 256:
        return "ssl_failed_handshake"
    return failure.EOF
