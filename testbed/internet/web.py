"""Web servers by hypercorn: HTTP/1.1, HTTP/2 and, with aioquic, HTTP/3, one configuration per server."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket
from ssl import (
    OP_ENABLE_MIDDLEBOX_COMPAT,
    PROTOCOL_TLS_SERVER,
    MemoryBIO,
    SSLContext,
    SSLError,
    SSLObject,
    SSLWantReadError,
    TLSVersion,
)
from typing import TYPE_CHECKING, Any, cast

from testbed.internet.pages import Application

if TYPE_CHECKING:
    from hypercorn.config import Config
    from hypercorn.typing import Framework

PATIENCE = 75  # seconds for handshakes and idle connections: detectors wait up to 60 s (clients.md 3.2)
MAX_HEADERS = 256 << 10  # bytes of headers in a request; detectors send up to 64 KB (clients.md 4.2)
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; Mozilla's intermediate profile


@dataclass(frozen=True)
class WebServer:
    """One server: what it answers, its certificate, its sockets by kind."""

    application: Application
    certificate: tuple[str, str]  # files of the chain and the key, PEM
    plain: Sequence[socket] = ()  # TCP, http://
    secure: Sequence[socket] = ()  # TCP, https://
    quic: Sequence[socket] = ()  # UDP, HTTP/3
    http3_port: int | None = None  # announced in Alt-Svc


async def serve_web(server: WebServer, ready: Callable[[], None]) -> None:
    """Serve forever; call `ready` when the server listens."""
    from hypercorn.asyncio import serve  # 150 ms: only who serves pays

    async def when_up() -> None:
        """Hypercorn awaits its shutdown trigger once the server listens; ours never comes."""
        ready()
        await asyncio.get_running_loop().create_future()

    application = cast("Framework", server.application)
    await serve(application, _configuration(server), shutdown_trigger=when_up, mode="asgi")


class _WebTls(SSLObject):
    """TLS of a web server that answers clients which speak plain HTTP (with status 400, as nginx does)."""

    sent: MemoryBIO

    def do_handshake(self) -> None:
        """A step of the handshake. After a request in plain text, wait for the client's end."""
        try:
            super().do_handshake()
        except SSLError as error:
            if error.reason != "HTTP_REQUEST":
                raise
            self.sent.write(_PLAIN_HTTP)
            raise SSLWantReadError from error


class _WebContext(SSLContext):
    sslobject_class = _WebTls

    def wrap_bio(self, incoming: MemoryBIO, outgoing: MemoryBIO, *rest: Any, **named: Any) -> SSLObject:
        made = super().wrap_bio(incoming, outgoing, *rest, **named)
        made.sent = outgoing  # type: ignore[attr-defined]
        return made


_PLAIN_PAGE = (
    b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>\r\n"
)
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_PLAIN_PAGE), _PLAIN_PAGE)
)


def tls_context(certificate: tuple[str, str], *protocols: str) -> SSLContext:
    """TLS as every server of the far side speaks it, for these ALPN protocols."""
    context = _WebContext(PROTOCOL_TLS_SERVER) if "http/1.1" in protocols else SSLContext(PROTOCOL_TLS_SERVER)
    context.minimum_version = TLSVersion.TLSv1_2
    # A ChangeCipherSpec after ServerHello in TLS 1.3 (RFC 8446 D.4), as servers for browsers send it: REALITY
    # refuses a donor without it, and a box could tell the sites of the world by its absence.
    context.options |= OP_ENABLE_MIDDLEBOX_COMPAT
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(protocols)
    context.load_cert_chain(*certificate)
    return context


def _configuration(server: WebServer) -> "Config":
    from hypercorn.config import Config, Sockets

    class Configuration(Config):
        """Hypercorn's settings, with sockets that are open already."""

        def create_sockets(self) -> Sockets:
            return Sockets(list(server.secure), list(server.plain), list(server.quic))

        def create_ssl_context(self) -> SSLContext | None:
            # Not Hypercorn's, which sets the options anew. QUIC makes its own; a context costs a millisecond.
            return tls_context(server.certificate, *self.alpn_protocols) if server.secure else None

    config = Configuration()
    config.certfile, config.keyfile = server.certificate
    config.ciphers = CIPHERS
    if server.http3_port is not None:
        config.alt_svc_headers = [f'h3=":{server.http3_port}"; ma=86400']
    config.loglevel = "WARNING"
    config.include_server_header = False
    config.backlog = 1024
    config.ssl_handshake_timeout = PATIENCE
    config.keep_alive_timeout = PATIENCE
    config.keep_alive_max_requests = 1 << 31
    config.h11_max_incomplete_size = MAX_HEADERS
    config.h2_max_header_list_size = MAX_HEADERS
    return config
