"""QUIC handshake and one HTTP/3 request, by aioquic. Slow to import: only for h3:// and quic:// targets."""

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
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.measurement.ooni import TlsHandshake
from testbed.measurement.target import Target, endpoint_text
from testbed.probe import certificates, failure
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import IncomingResponse, OutgoingRequest, log_exchange
from testbed.probe.log import TRANSACTION, MeasurementLog
from testbed.probe.speed import BULK_BOUND, Speedometer
from testbed.shapes.draft29 import DraftConnection, speak_draft_29

DECOY = bytes(64)  # no QUIC packet: the fixed bit of RFC 9000 section 17 is missing, so servers ignore it
_REFUSED = 0x2  # CONNECTION_REFUSED (RFC 9000 §20.1)
_CRYPTO_ERROR = 0x100  # QUIC carries TLS alerts as 0x100 + alert (RFC 9001 §4.8)
_UNKNOWN_CA, _UNRECOGNIZED_NAME = 48, 112
_HANDSHAKE_FAILURES = {40, 51}  # handshake_failure, decrypt_error
_CERTIFICATE_FAILURES = {42, 43, 44, 45, 46}  # bad, unsupported, revoked, expired, unknown


class _LoggedTransport:
    """Passes datagrams on to a transport, and logs each."""

    def __init__(self, transport: asyncio.DatagramTransport, log: MeasurementLog, where: str) -> None:
        self._transport, self._log, self._where = transport, log, where

    def sendto(self, data: bytes, addr: Any = None) -> None:
        begun = self._log.now()
        self._transport.sendto(data, addr)
        self._log.event("write_to", begun, address=self._where, proto="udp", size=len(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Client(QuicConnectionProtocol):
    """Logs the datagrams, and collects one response."""

    def __init__(
        self, quic: QuicConnection, log: MeasurementLog, where: str, response: IncomingResponse
    ) -> None:
        super().__init__(quic)
        self.log, self.where = log, where
        self.response = response
        self.meter: Speedometer | None = None
        self.http: H3Connection | None = None
        self.handshake_done = False
        self.ended: str | None = None  # a failure
        self.news = asyncio.Event()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        self.log.event("read_from", self.log.now(), address=self.where, proto="udp", size=len(data))
        self.news.set()
        super().datagram_received(cast("bytes", data), addr)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("Any", _LoggedTransport(cast("Any", transport), self.log, self.where)))

    def error_received(self, exc: Exception) -> None:
        problem, now = failure.of(exc), self.log.now()
        self.log.event("read_from", now, address=self.where, proto="udp", failure=problem)
        self.finish(problem)

    def finish(self, problem: str) -> None:
        """End with a failure."""
        self.ended = self.ended or problem
        self.news.set()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.handshake_done = True
        elif isinstance(event, ConnectionTerminated):
            self.finish(_ending(event, self._quic))
        if self.http is not None:
            for part in self.http.handle_event(event):
                self._take(part)
        self.news.set()

    def _take(self, part: object) -> None:
        if isinstance(part, HeadersReceived):
            self.response.status = int(dict(part.headers).get(b":status", 0))
            self.response.headers = [pair for pair in part.headers if not pair[0].startswith(b":")]
            self.response.complete = part.stream_ended
        elif isinstance(part, DataReceived):
            self.response.add(part.data)
            self.response.complete = part.stream_ended
            if self.meter:
                self.meter.reached(self.response.size)

    def request(self, request: OutgoingRequest) -> None:
        """Send the request."""
        self.http, self.meter = H3Connection(self._quic), Speedometer(self.log, "down")
        headers = [
            (":method", request.method),
            (":scheme", request.scheme),
            (":authority", request.authority),
            (":path", request.target.path),
            *request.headers,
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
            begun = self.log.now()
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), max(left, 0))
            except TimeoutError:
                self.log.event("read_from", begun, address=self.where, proto="udp", failure=failure.TIMEOUT)
                raise MeasurementError(failure.TIMEOUT) from None


def connect(
    log: MeasurementLog,
    target: Target,
    address: str,
    ca_file: str | None,
    silence: float,
    patience: float,
    decoy: bytes = b"",
    *,
    draft_29: bool = False,
    request: bool = True,
) -> None:
    """Complete a handshake with `address`, `request` the target; MeasurementError with the df-007 string.

    `silence` (seconds) is how long no datagram may come, `patience` how long each of both steps may last.
    `decoy` is sent before the first Initial, as a datagram of its own. `draft_29`: that version of QUIC is
    spoken instead of version 1.
    """
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=target.host)
    configuration.load_verify_locations(cafile=ca_file or ssl.get_default_verify_paths().cafile)
    if draft_29:
        speak_draft_29(configuration, alone=True)
    quic = DraftConnection(configuration=configuration)
    asyncio.run(_connect(log, target, address, quic, silence, patience, decoy, wanted=request))


async def _connect(
    log: MeasurementLog,
    target: Target,
    address: str,
    quic: QuicConnection,
    silence: float,
    patience: float,
    decoy: bytes,
    *,
    wanted: bool,
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = endpoint_text(address, target.port)
    request = OutgoingRequest(target, secure=True, version="3")
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Client(quic, log, where, request.response()),
        remote_addr=(address, target.port),
        family=family,
    )
    log.flow(transport.get_extra_info("socket"), where)
    if decoy:
        transport.sendto(decoy)
    try:
        begun, problem = log.now(), None
        log.mark("quic_handshake_start", address=where, proto="udp")
        try:
            client.connect(transport.get_extra_info("peername"))
            await client.until(lambda: client.handshake_done, silence, patience)
        except MeasurementError as error:
            problem = str(error)
            raise
        finally:
            log.tls_handshakes.append(_handshake(log, target, where, problem, begun, quic))
            log.mark("quic_handshake_done", address=where, proto="udp")
        if wanted:
            await _request(log, request, client, silence, BULK_BOUND if target.bulk else patience)
    finally:
        client.close()
        transport.close()


def _handshake(
    log: MeasurementLog, target: Target, where: str, problem: str | None, begun: float, quic: QuicConnection
) -> TlsHandshake:
    tls = quic.tls
    suite = tls.key_schedule.cipher_suite.name if tls.key_schedule else ""
    return TlsHandshake(
        network="udp",
        address=where,
        server_name=target.host,
        failure=problem,
        no_tls_verify=False,
        tls_version="" if problem else "TLSv1.3",
        cipher_suite="" if problem else f"TLS_{suite}",
        negotiated_protocol=tls.alpn_negotiated or "",
        t0=begun,
        t=log.now(),
        transaction_id=TRANSACTION,
        **certificates.record(_chain(quic)),
    )


def _chain(quic: QuicConnection) -> list[bytes]:
    """The server's certificates, DER, the leaf first; aioquic keeps them, also those that it refused."""
    tls = quic.tls
    sent = [tls._peer_certificate, *tls._peer_certificate_chain] if tls._peer_certificate else []
    return [certificate.public_bytes(Encoding.DER) for certificate in sent]


async def _request(
    log: MeasurementLog, request: OutgoingRequest, client: _Client, silence: float, patience: float
) -> None:
    begun, problem, bulk = log.now(), None, request.target.bulk
    log.mark("http_transaction_start")
    client.request(request)
    try:
        await client.until(lambda: client.response.complete, silence, patience)
    except MeasurementError as error:
        moving = client.meter is not None and client.meter.moving(silence)
        if not (bulk and moving and str(error) == failure.TIMEOUT):
            problem = str(error)
            raise
    finally:
        if bulk and client.meter is not None:
            client.meter.close(complete=client.response.complete)
        log_exchange(log, request, client.response, problem, begun, client.where, "h3")


def _ending(event: ConnectionTerminated, quic: QuicConnection) -> str:
    """The df-007 string of how a connection ended, as OONI's engine maps TLS alerts and QUIC's errors."""
    alert = event.error_code - _CRYPTO_ERROR
    if alert in _CERTIFICATE_FAILURES and (chain := _chain(quic)):
        # aioquic says bad_certificate for a wrong name and for an unknown authority.
        name = quic.configuration.server_name or ""
        return certificates.refusal_of_leaf(chain[0], name, certificates.UNTRUSTED)
    if alert == _UNKNOWN_CA:
        return certificates.UNTRUSTED
    if alert == _UNRECOGNIZED_NAME:
        return certificates.WRONG_NAME
    if alert in _HANDSHAKE_FAILURES:
        return "ssl_failed_handshake"
    if event.error_code == _REFUSED:
        return failure.REFUSED
    if "common protocol version" in event.reason_phrase:
        return "quic_incompatible_version"
    if event.reason_phrase == "Idle timeout":
        return failure.TIMEOUT
    if 0 < alert < 256:
        return f"{failure.UNKNOWN}: CRYPTO_ERROR {event.error_code:#x}: {event.reason_phrase}"
    return failure.EOF
