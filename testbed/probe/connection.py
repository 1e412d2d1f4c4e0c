"""TCP and TLS connections that log every operation.

TLS runs over memory buffers, so that the log has the bytes as they came from the network, also those of a
handshake that never ended.
"""

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from testbed.measurement.ooni import TcpConnect, TcpStatus, TlsHandshake
from testbed.measurement.target import endpoint_text
from testbed.probe import certificates, failure, tcpinfo
from testbed.probe.log import TRANSACTION, MeasurementLog
from testbed.shapes.opensslclient import openssl_client

_CHUNK = 65536
_WATCH = 0.1  # s
_PADDING = tuple(f"x-pad-{number:02}-".ljust(200, "x") for number in range(8))  # 1,600 bytes; our choice
_UNSENT = 16384  # bytes of an upload that may wait in the kernel


class TcpConnection:
    """One TCP connection.

    `silence` is how long (seconds) the peer may send nothing; `limit` (monotonic time) ends the step
    whatever comes, so that a trickle does not hold the probe for ever.
    """

    def __init__(self, log: MeasurementLog, address: tuple[str, int], silence: float) -> None:
        self.log, self.silence = log, silence
        self.limit = time.monotonic() + silence
        self.where = endpoint_text(*address)
        self.sock = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM
        )
        self.address = address
        self.received = 0  # bytes, in all
        # Called after a read and, while waiting, every _WATCH seconds.
        self.watch: Callable[[], None] | None = None

    def connect(self) -> None:
        """Open the connection and log the attempt; raises what the kernel says."""
        begun, problem = self.log.now(), None
        self.sock.settimeout(0)
        try:
            self._open()
        except OSError as error:
            problem = failure.of(error)
            raise
        finally:
            status = TcpStatus(problem, success=problem is None)
            self.log.tcp_connect.append(
                TcpConnect(*self.address, status, begun, self.log.now(), transaction_id=TRANSACTION)
            )
            self.log.event("connect", begun, address=self.where, proto="tcp", failure=problem)

    def _open(self) -> None:
        code = self.sock.connect_ex(self.address)
        self.log.flow(self.sock, self.where)  # now: a failed attempt loses its port
        if code == errno.EINPROGRESS:
            poll = select.poll()
            poll.register(self.sock, select.POLLOUT)
            if not poll.poll(self.silence * 1000):
                raise TimeoutError
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def allow(self, seconds: float) -> None:
        """Start a step that may last so long in all."""
        self.limit = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send all of it; TimeoutError on silence or at the limit."""
        view = memoryview(data)
        while view:
            begun = self.log.now()
            try:
                self._await(select.POLLOUT)
                size = self.sock.send(view)
            except OSError as error:
                self.log.event("write", begun, address=self.where, proto="tcp", failure=failure.of(error))
                raise
            self.log.event("write", begun, address=self.where, proto="tcp", size=size)
            view = view[size:]

    def send_as_it_leaves(self) -> None:
        """From now on a write waits until what was written before is nearly all on the wire."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)

    def receive(self) -> bytes:
        """Some bytes, b"" at the end; TimeoutError on silence or at the limit."""
        begun = self.log.now()
        try:
            self._await(select.POLLIN)
            data = self.sock.recv(_CHUNK)
        except OSError as error:
            self.log.event("read", begun, address=self.where, proto="tcp", failure=failure.of(error))
            raise
        self.received += len(data)
        if self.watch:
            self.watch()
        ending = None if data else failure.EOF
        self.log.event("read", begun, address=self.where, proto="tcp", size=len(data), failure=ending)
        return data

    def _await(self, what: int) -> None:
        # A peer whose segments still arrive, though none brings new data, is slowed down and not silent.
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

    def info(self) -> tcpinfo.TcpCounters:
        """The kernel's counters."""
        return tcpinfo.read(self.sock)

    def close(self) -> None:
        """Log the counters and close."""
        self.log.tcp_info = self.info().record()
        self.sock.close()


class TlsConnection:
    """TLS over a `TcpConnection`, with SNI, the ALPN of its context and the certificate checked."""

    def __init__(
        self, tcp: TcpConnection, name: str, context: ssl.SSLContext, protocol: str = "http/1.1"
    ) -> None:
        self.tcp, self.name, self.protocol = tcp, name, protocol  # what it offers
        self.alpn = ""  # as negotiated
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    def handshake(self) -> None:
        """Complete the handshake and log it; raises what went wrong."""
        log, begun, problem = self.tcp.log, self.tcp.log.now(), None
        log.mark("tls_handshake_start", address=self.tcp.where, proto="tcp")
        try:
            self._pump(self._tls.do_handshake)
            self.alpn = self._tls.selected_alpn_protocol() or ""
        except ssl.SSLCertVerificationError as error:
            leaf, reason = certificates.chain_of(self._tls)[0], failure.of(error)
            problem = certificates.refusal_of_leaf(leaf, self.name, reason)
            raise failure.MeasurementError(problem) from None
        except (OSError, EOFError) as error:
            problem = failure.of(error)
            raise
        finally:
            log.tls_handshakes.append(self._record(problem, begun))
            log.mark("tls_handshake_done", address=self.tcp.where, proto="tcp")

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
                with suppress(OSError):  # the alert to the server; the first failure is the one to report
                    self._flush()
                raise
            else:
                self._flush()
                return value

    def _flush(self) -> None:
        if data := self._out.read():
            self.tcp.send(data)

    def _record(self, problem: str | None, begun: float) -> TlsHandshake:
        log = self.tcp.log
        return TlsHandshake(
            network="tcp",
            address=self.tcp.where,
            server_name=self.name,
            failure=problem,
            no_tls_verify=False,
            tls_version="" if problem else self._tls.version() or "",
            cipher_suite="" if problem else (self._tls.cipher() or ("",))[0],
            negotiated_protocol=self.alpn,
            t0=begun,
            t=log.now(),
            transaction_id=TRANSACTION,
            **certificates.record(certificates.chain_of(self._tls)),
        )


@lru_cache(maxsize=8)  # reading a bundle takes longer than a handshake
def client_context(
    ca_file: str | None, *, padded: bool = False, protocol: str = "http/1.1"
) -> ssl.SSLContext:
    """A verifying context that trusts `ca_file`, or the system's own store, and offers `protocol` by ALPN.

    `padded`: its ClientHello is longer than a segment, by protocols that nobody speaks in the ALPN extension:
    Python's ssl cannot ask for the padding extension (RFC 7685), and a box sees the same length.
    """
    return openssl_client(ca_file, protocol, *(_PADDING if padded else ()))
