"""Web servers by hypercorn: HTTP/1.1, HTTP/2 and, with aioquic, HTTP/3, one configuration per server."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
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

from testbed.internet.keylog import log_quic_keys, logging_keys
from testbed.internet.pages import Application

if TYPE_CHECKING:
    from hypercorn.config import Config
    from hypercorn.typing import Framework

PATIENCE = 75  # seconds for handshakes and idle connections: detectors wait up to 60 s (clients.md 3.2)
MAX_HEADERS = 256 << 10  # bytes of headers in a request; detectors send up to 64 KB (clients.md 4.2)
CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")
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
    quic_draft_29: bool = False  # spoken, too
    skips_ccs: bool = False  # a ChangeCipherSpec record that comes first


async def serve_web(server: WebServer, ready: Callable[[], None]) -> None:
    """Serve forever; call `ready` when the server listens."""
    from hypercorn.asyncio import serve  # 150 ms: only who serves pays

    async def when_up() -> None:
        """Hypercorn awaits its shutdown trigger once the server listens; ours never comes."""
        ready()
        await asyncio.get_running_loop().create_future()

    if server.quic_draft_29:
        _take_drafts()
    if server.quic:
        log_quic_keys()
    application = cast("Framework", server.application)
    await serve(application, _configuration(server), shutdown_trigger=when_up, mode="asgi")


class _WebTls(SSLObject):
    """TLS of a web server that answers clients which speak plain HTTP (with status 400, as nginx does)."""

    came: MemoryBIO
    sent: MemoryBIO
    _first: bytes | None = None  # what came until it is clear whether a record is skipped; None: it is clear

    def do_handshake(self) -> None:
        """A step of the handshake. After a request in plain text, wait for the client's end."""
        if self._first is not None:
            self._skip()
        try:
            super().do_handshake()
        except SSLError as error:
            if error.reason != "HTTP_REQUEST":
                raise
            self.sent.write(_PLAIN_HTTP)
            raise SSLWantReadError from error

    def skip_ccs(self) -> None:
        """Pass over a ChangeCipherSpec record, should it come first: OpenSSL refuses it there."""
        self._first = b""

    def _skip(self) -> None:
        self._first = (self._first or b"") + self.came.read()
        if len(self._first) < len(CHANGE_CIPHER_SPEC) and CHANGE_CIPHER_SPEC.startswith(self._first):
            return
        self.came.write(self._first.removeprefix(CHANGE_CIPHER_SPEC))
        self._first = None


class _ServerContext(SSLContext):
    """TLS of a server that reads its certificate at the first handshake: most sites of a world have none."""

    certificate: tuple[str, str] | None = None  # not read yet

    def wrap_bio(self, incoming: MemoryBIO, outgoing: MemoryBIO, *rest: Any, **named: Any) -> SSLObject:
        if self.certificate:
            self.load_cert_chain(*self.certificate)
            self.certificate = None
        return super().wrap_bio(incoming, outgoing, *rest, **named)


class _WebContext(_ServerContext):
    sslobject_class = _WebTls
    skips_ccs = False

    def wrap_bio(self, incoming: MemoryBIO, outgoing: MemoryBIO, *rest: Any, **named: Any) -> SSLObject:
        made = cast("_WebTls", super().wrap_bio(incoming, outgoing, *rest, **named))
        made.came, made.sent = incoming, outgoing
        if self.skips_ccs:
            made.skip_ccs()
        return made


_PLAIN_PAGE = (
    b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>\r\n"
)
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_PLAIN_PAGE), _PLAIN_PAGE)
)


def tls_context(certificate: tuple[str, str], *protocols: str, skips_ccs: bool = False) -> SSLContext:
    """TLS as every server of the far side speaks it, for these ALPN protocols."""
    context = (_WebContext if "http/1.1" in protocols else _ServerContext)(PROTOCOL_TLS_SERVER)
    if isinstance(context, _WebContext):
        context.skips_ccs = skips_ccs
    context.minimum_version = TLSVersion.TLSv1_2
    # A ChangeCipherSpec after ServerHello in TLS 1.3 (RFC 8446 D.4), as servers for browsers send it: REALITY
    # refuses a donor without it, and a box could tell the sites of the world by its absence.
    context.options |= OP_ENABLE_MIDDLEBOX_COMPAT
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(protocols)
    context.certificate = certificate
    return logging_keys(context)


@cache
def _take_drafts() -> None:
    """Let Hypercorn make connections that can speak QUIC draft-29, where a server's configuration wants it.

    Hypercorn has no setting for the versions: the names that its own modules look up are replaced.
    """
    from hypercorn.protocol import quic

    from testbed.shapes.draft29 import DraftConnection, speak_draft_29

    class DraftProtocol(quic.QuicProtocol):
        def __init__(self, app: Any, config: Any, *rest: Any) -> None:
            super().__init__(app, config, *rest)
            if config.quic_draft_29:
                speak_draft_29(self.quic_config)

    vars(quic).update(QuicConnection=DraftConnection, QuicProtocol=DraftProtocol)


def _configuration(server: WebServer) -> "Config":
    from hypercorn.config import Config, Sockets

    class Configuration(Config):
        """Hypercorn's settings, with sockets that are open already."""

        quic_draft_29 = False

        def create_sockets(self) -> Sockets:
            return Sockets(list(server.secure), list(server.plain), list(server.quic))

        def create_ssl_context(self) -> SSLContext | None:
            # Not Hypercorn's, which sets the options anew. QUIC makes its own; a context costs a millisecond.
            if not server.secure:
                return None
            return tls_context(server.certificate, *self.alpn_protocols, skips_ccs=server.skips_ccs)

    config = Configuration()
    config.quic_draft_29 = server.quic_draft_29
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
