"""An HTTP/3 client, by aioquic, and what a tool may send before its first datagram or instead of it."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream

from testbed.matrix.contender import contender
from testbed.matrix.livetry import Stopwatch

_PORT: Final = 443


async def fetch_quic(how: str, host: str, size: int, opened: Callable[[int], None]) -> float:
    """Fetch `size` bytes, in the form `quic:HOW`; the speed. OSError or ValueError for a failure."""
    loop = asyncio.get_running_loop()
    family, *_, address = (await loop.getaddrinfo(host, _PORT, type=socket.SOCK_DGRAM))[0]
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=host)
    configuration.load_verify_locations(cafile=ssl.get_default_verify_paths().cafile)
    kind = _Split if how == "split" else QuicConnection
    transport, client = await loop.create_datagram_endpoint(
        lambda: _Client(kind(configuration=configuration), host, size),
        remote_addr=(str(address[0]), int(address[1])),
        family=family,
    )
    opened(transport.get_extra_info("sockname")[1])
    try:
        given = contender(f"quic:{how}" if how else "quic", host=host)
        for data in given.datagrams[: given.ignored]:
            transport.sendto(data)
        client.connect(transport.get_extra_info("peername"))
        return await client.answer
    finally:
        client.close()
        transport.close()


class _Client(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection, host: str, size: int) -> None:
        super().__init__(quic)
        self._host, self._size, self._came = host, size, 0
        self._http: H3Connection | None = None
        self._watch = Stopwatch()
        self.answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def _request(self) -> None:
        self._http, path = H3Connection(self._quic), f"/bytes/{self._size}"
        head = {":method": "GET", ":scheme": "https", ":authority": self._host, ":path": path}
        stream = self._quic.get_next_available_stream_id()
        self._http.send_headers(stream, [(k.encode(), v.encode()) for k, v in head.items()], end_stream=True)
        self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self._request()
        elif isinstance(event, ConnectionTerminated):
            self._fail(event.reason_phrase or f"error {event.error_code}")
        for part in self._http.handle_event(event) if self._http else ():
            self._take(part)

    def error_received(self, exc: Exception) -> None:
        self._fail(str(exc))

    def _take(self, part: H3Event) -> None:
        if isinstance(part, HeadersReceived):
            self._watch = Stopwatch()
            status = dict(part.headers).get(b":status", b"").decode()
            if status != "200":
                self._fail(f"the server says {status}")
        elif isinstance(part, DataReceived):
            self._came += len(part.data)
            if self._came >= self._size and not self.answer.done():
                self.answer.set_result(self._watch.speed(self._size))

    def _fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ValueError(why))
            self.answer.exception()  # nobody may wait for it yet, and asyncio would complain


class _Split(QuicConnection):
    """Its ClientHello leaves in two Initials, each in a datagram of its own, cut within the name."""

    _cut: bool = False

    def _write_crypto_frame(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream
    ) -> bool:
        name = (self._configuration.server_name or "").encode()
        at = bytes(stream.sender._buffer).find(name)
        if self._cut or at < 0:
            return bool(super()._write_crypto_frame(builder, space, stream))
        self._cut = True
        sender: Any = stream.sender
        whole = sender.get_frame
        sender.get_frame = lambda *_: whole(at + 4)
        try:
            written = super()._write_crypto_frame(builder, space, stream)
        finally:
            del sender.get_frame
        rest = builder.start_frame(QuicFrameType.PADDING)
        rest.push_bytes(bytes(builder.remaining_flight_space))  # so the next packet begins a datagram
        return bool(written)
