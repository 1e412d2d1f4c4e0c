"""TCP and TLS connections that write down every act.

TLS runs over memory buffers, so that what is recorded
are the bytes as they came from the network, also those of a handshake that never ended.
"""

import hashlib
import select
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from testbed.probe import failure, tcpinfo
from testbed.probe.aim import spelled
from testbed.probe.record import Notebook

_CHUNK = 65536
_WATCH = 0.1  # s
_UNSENT = 16384  # bytes; what an upload may have waiting in the kernel


class Stream(Protocol):
    """What the HTTP step needs of a connection."""

    def send(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def receive(self) -> bytes:
        """Some bytes, b"" at the end; TimeoutError on silence or at the step's limit."""
        ...


class TcpStream:
    """One TCP connection.

    `silence` is how long (seconds) the peer may say nothing; `limit` (monotonic time) ends the step
    whatever comes, so that a trickle does not hold the probe for ever.
    """

    def __init__(self, book: Notebook, address: tuple[str, int], silence: float) -> None:
        self.book, self.silence = book, silence
        self.limit = time.monotonic() + silence
        self.where = spelled(*address)
        self.sock = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM
        )
        self._address = address
        self.received = 0  # bytes, in all
        self.watch: Callable[[], None] | None = (
            None  # called after a read and, while waiting, every _WATCH seconds
        )

    def connect(self) -> None:
        """Open the connection and note it in `tcp_connect`; raises what the kernel says."""
        begun, problem = self.book.now(), None
        self.sock.settimeout(self.silence)
        try:
            self.sock.connect(self._address)
            self.sock.settimeout(0)
        except OSError as error:
            problem = failure.of(error)
            raise
        finally:
            status = {"failure": problem, "success": problem is None, "blocked": None}
            ip, port = self._address
            self.book.note("tcp_connect", {"ip": ip, "port": port, "status": status}, begun)
            self.book.event("connect", begun, address=self.where, proto="tcp", failure=problem)

    def allow(self, seconds: float) -> None:
        """Begin a step that may last so long in all."""
        self.limit = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send all of it; TimeoutError on silence or at the limit."""
        view = memoryview(data)
        while view:
            begun = self.book.now()
            try:
                self._await(select.POLLOUT)
                size = self.sock.send(view)
            except OSError as error:
                self.book.event("write", begun, address=self.where, proto="tcp", failure=failure.of(error))
                raise
            self.book.event("write", begun, address=self.where, proto="tcp", size=size)
            view = view[size:]

    def send_as_it_leaves(self) -> None:
        """From now on let a write wait until what was written before is nearly all on the wire."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    def receive(self) -> bytes:
        """Some bytes, b"" at the end; TimeoutError on silence or at the limit."""
        begun = self.book.now()
        try:
            self._await(select.POLLIN)
            data = self.sock.recv(_CHUNK)
        except OSError as error:
            self.book.event("read", begun, address=self.where, proto="tcp", failure=failure.of(error))
            raise
        self.received += len(data)
        if self.watch:
            self.watch()
        ending = None if data else failure.EOF
        self.book.event("read", begun, address=self.where, proto="tcp", size=len(data), failure=ending)
        return data

    def _await(self, what: int) -> None:
        # A peer whose segments still arrive, though none brings new data, is slowed down and not silenced.
        # Only the second half of the wait counts: the first holds the acknowledgement of what we sent.
        while True:
            if self._ready(what, self.silence / 2):
                return
            before = self.info().segments_in
            if self._ready(what, self.silence / 2):
                return
            if time.monotonic() >= self.limit or self.info().segments_in == before:
                raise TimeoutError

    def _ready(self, what: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.sock, what)
        until = min(time.monotonic() + seconds, self.limit)
        while True:
            left = max(0.0, until - time.monotonic())
            if poll.poll((min(left, _WATCH) if self.watch else left) * 1000):
                return True
            if self.watch:
                self.watch()
            if time.monotonic() >= until:
                return False

    def info(self) -> tcpinfo.TcpInfo:
        """The kernel's counters."""
        return tcpinfo.read(self.sock)

    def close(self) -> None:
        """Note the counters and close."""
        self.book.keys["x_tcp_info"] = self.info().to_json()
        self.sock.close()


class TlsStream:
    """TLS over a `TcpStream`, with SNI, ALPN "http/1.1" and the certificate checked."""

    def __init__(self, tcp: TcpStream, name: str, context: ssl.SSLContext) -> None:
        self.tcp, self.name = tcp, name
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    def handshake(self) -> None:
        """Shake hands and note it in `tls_handshakes`; raises what went wrong."""
        book, begun, problem = self.tcp.book, self.tcp.book.now(), None
        book.event("tls_handshake_start", begun, address=self.tcp.where)
        try:
            self._pump(self._tls.do_handshake)
        except (OSError, EOFError) as error:
            problem = failure.of(error)
            raise
        finally:
            book.note("tls_handshakes", self._described(problem), begun)
            book.event("tls_handshake_done", begun, address=self.tcp.where, failure=problem)

    def send(self, data: bytes) -> None:
        """Encrypt and send all of it."""
        self._tls.write(data)
        self._flush()

    def receive(self) -> bytes:
        """Some decrypted bytes, b"" at the end."""
        try:
            data: bytes = self._pump(lambda: self._tls.read(_CHUNK))
        except (EOFError, ssl.SSLZeroReturnError):
            return b""
        return data

    def _pump(self, act: Callable[[], Any]) -> Any:
        while True:
            try:
                value = act()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.tcp.receive()
                if not data:
                    raise EOFError from None
                self._in.write(data)
            except ssl.SSLError:
                with suppress(OSError):  # the alert for the server; the failure itself matters more
                    self._flush()
                raise
            else:
                self._flush()
                return value

    def _flush(self) -> None:
        if data := self._out.read():
            self.tcp.send(data)

    def _described(self, problem: str | None) -> dict[str, Any]:
        entry: dict[str, Any] = {"network": "tcp", "address": self.tcp.where, "server_name": self.name}
        entry |= {"failure": problem, "no_tls_verify": False, "peer_certificates": [], "so_error": None}
        entry |= {"tls_version": "", "cipher_suite": "", "negotiated_protocol": ""}
        if problem is not None:
            return entry
        leaf = self._tls.getpeercert(binary_form=True) or b""
        entry["peer_certificates"] = [{"data": b64encode(leaf).decode(), "format": "base64"}]
        entry["x_leaf_sha256"] = hashlib.sha256(leaf).hexdigest()
        entry["x_issuer"] = _spoken((self._tls.getpeercert() or {}).get("issuer", ()))
        entry["tls_version"] = self._tls.version() or ""
        entry["cipher_suite"] = (self._tls.cipher() or ("",))[0]
        entry["negotiated_protocol"] = self._tls.selected_alpn_protocol() or ""
        return entry


def _spoken(name: Any) -> str:
    return ", ".join(f"{key}={value}" for part in name for key, value in part)


@lru_cache(maxsize=8)  # reading a bundle takes longer than a handshake
def client_context(ca_file: str | None) -> ssl.SSLContext:
    """A verifying context that trusts `ca_file`, or the system's own store."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    # One group keeps the ClientHello within a segment, as clients' were until 2024. OpenSSL 3.5 would add a
    # post-quantum key of 1,216 bytes, and a box that reads one packet at a time would miss the name.
    context.set_ecdh_curve("prime256v1")
    return context
