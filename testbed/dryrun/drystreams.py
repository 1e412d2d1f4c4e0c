"""Connections of a client over a way: TCP, TLS in it, QUIC. They log what the probe's own would."""

import errno
import json
import os
from collections.abc import Callable
from typing import Final

from testbed.dryrun.dryclient import DryClient, note_flow
from testbed.dryrun.farside import CHAIN, sealed
from testbed.dryrun.quicpeer import QuicPeer, hidden
from testbed.dryrun.way import WAKES
from testbed.measurement.ooni import TcpConnect, TcpStatus, TlsHandshake
from testbed.measurement.target import endpoint_text
from testbed.probe import failure
from testbed.probe.failure import MeasurementError
from testbed.probe.log import TRANSACTION, MeasurementLog

_FINISHED: Final = 58  # bytes of the client's Finished, in a record
_ERRNO: Final = {"reset": errno.ECONNRESET, "refused": errno.ECONNREFUSED}


class _Stream:
    """What connections have in common: how long they wait."""

    def __init__(
        self, log: MeasurementLog, client: DryClient, address: tuple[str, int], silence: float
    ) -> None:
        self.log, self.client, self.agenda, self.silence = log, client, client.agenda, silence
        self.where = endpoint_text(*address)
        self.address = address
        self.ends = client.ends(*address)
        self.limit = self.agenda.now + silence

    def allow(self, seconds: float) -> None:
        """Start a step that may last so long in all."""
        self.limit = self.agenda.now + seconds

    def _await(self, done: Callable[[], bool], heard: Callable[[], int]) -> None:
        """TimeoutError on silence or at the limit; one who still sends, without news, is not silent."""
        while True:
            if self.agenda.wait(done, min(self.agenda.now + self.silence / 2, self.limit)):
                return
            before = heard()
            if self.agenda.wait(done, min(self.agenda.now + self.silence / 2, self.limit)):
                return
            if self.agenda.now >= self.limit or heard() == before:
                raise TimeoutError


class DryConnection(_Stream):
    """One TCP connection of a client."""

    def __init__(
        self, log: MeasurementLog, client: DryClient, address: tuple[str, int], silence: float
    ) -> None:
        super().__init__(log, client, address, silence)
        self.peer = client.tcp(self.ends)
        self.alpn = ""
        self.watch: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Connect, and log the attempt."""
        begun, problem = self.log.now(), None
        note_flow(self.log, self.ends, "tcp")
        self.peer.connect()
        done = self.agenda.wait(lambda: self.peer.open or bool(self.peer.failure), self.limit)
        if done and not self.peer.failure:  # a reset that follows at once is there before the program is
            self.agenda.wait(lambda: bool(self.peer.failure), self.agenda.now + WAKES)
        error = TimeoutError() if not done else self._error()
        problem = failure.of(error) if error else None
        status = TcpStatus(problem, success=problem is None)
        self.log.tcp_connect.append(
            TcpConnect(*self.address, status, begun, self.log.now(), transaction_id=TRANSACTION)
        )
        self.log.event("connect", begun, address=self.where, proto="tcp", failure=problem)
        if error:
            raise error

    def send(self, data: bytes) -> None:
        """Send all of it."""
        if error := self._error():
            raise error
        self.peer.put(data)
        self.log.event("write", self.log.now(), address=self.where, proto="tcp", size=len(data))

    def receive(self) -> bytes:
        """Some bytes, b"" at the end; TimeoutError on silence or at the limit."""
        begun, peer = self.log.now(), self.peer
        try:
            self._await(lambda: bool(peer.received or peer.ended or peer.failure), lambda: peer.segments_in)
            if not peer.received and (error := self._error()):
                raise error
        except OSError as error:
            self.log.event("read", begun, address=self.where, proto="tcp", failure=failure.of(error))
            raise
        data = peer.take()
        self.watch()
        self.log.event(
            "read",
            begun,
            address=self.where,
            proto="tcp",
            size=len(data),
            failure=None if data else failure.EOF,
        )
        return data

    def crossed(self, direction: str) -> int:
        """Bytes that have arrived, or that the far end has."""
        return self.peer.total if direction == "down" else self.peer.acknowledged

    def close(self) -> None:
        """Forget it."""
        self.client.close(self.ends)

    def _error(self) -> OSError | None:
        number = _ERRNO.get(self.peer.failure, self.peer.error)
        return OSError(number, os.strerror(number)) if number else None


class DryTls:
    """TLS over a connection: records of the right sizes; of a certificate, its names and its fault."""

    def __init__(self, tcp: DryConnection, name: str) -> None:
        self.tcp, self.name, self.alpn = tcp, name, "http/1.1"
        self._records = b""

    def handshake(self, hello: bytes) -> None:
        """Complete the handshake and log it; raises what went wrong."""
        log, begun = self.tcp.log, self.tcp.log.now()
        problem: str | None = None
        log.mark("tls_handshake_start", address=self.tcp.where, proto="tcp")
        try:
            self.tcp.send(hello)
            problem = refusal(self._proof(), self.name)
            if problem:
                raise MeasurementError(problem)
            self.tcp.send(b"\x14\x03\x03\0\1\1\x17\x03\x03" + _FINISHED.to_bytes(2, "big") + bytes(_FINISHED))
        except (OSError, EOFError, MeasurementError) as error:
            problem = failure.of(error)
            raise
        finally:
            log.tls_handshakes.append(_handshake("tcp", self.tcp.where, self.name, problem, begun, log.now()))
            log.mark("tls_handshake_done", address=self.tcp.where, proto="tcp")

    def send(self, data: bytes) -> None:
        """Encrypt and send all of it."""
        self.tcp.send(sealed(data))

    def receive(self) -> bytes:
        """Some decrypted bytes, b"" at the end."""
        while True:
            kind, content = self._record()
            if kind in (0x17, 0):
                return hidden(content)

    def crossed(self, direction: str) -> int:
        """As the connection's."""
        return self.tcp.crossed(direction)

    def _proof(self) -> bytes:
        while True:
            kind, content = self._record()
            if kind == 0:
                raise EOFError
            if kind not in (0x14, 0x15, 0x16, 0x17):
                raise MeasurementError("ssl_failed_handshake")
            if kind == 0x17:
                return hidden(content)

    def _record(self) -> tuple[int, bytes]:
        """The next record's kind and content; kind 0 at the end."""
        while len(self._records) < 5 or (
            self._records[0] in (0x14, 0x15, 0x16, 0x17)
            and len(self._records) < 5 + int.from_bytes(self._records[3:5], "big")
        ):
            data = self.tcp.receive()
            if not data:
                return 0, b""
            self._records += data
        kind, size = self._records[0], int.from_bytes(self._records[3:5], "big")
        content, self._records = self._records[5 : 5 + size], self._records[5 + size :]
        return kind, content


class DryQuic(_Stream):
    """One QUIC connection of a client."""

    alpn = "h3"

    def __init__(
        self,
        log: MeasurementLog,
        client: DryClient,
        address: tuple[str, int],
        silence: float,
        flight: tuple[bytes, ...],
    ) -> None:
        super().__init__(log, client, address, silence)
        self._peer = QuicPeer(self.agenda, client.udp(self.ends, self._take), flight)
        self._error: OSError | None = None
        note_flow(log, self.ends, "udp")

    def handshake(self, name: str) -> None:
        """Complete the handshake and log it."""
        log, begun, problem = self.log, self.log.now(), None
        log.mark("quic_handshake_start", address=self.where, proto="udp")
        try:
            self._peer.connect()
            proof = b""
            while len(proof) < CHAIN + 600:
                proof += self.receive()
            problem = refusal(proof, name)
            if problem:
                raise MeasurementError(problem)
            self._peer.established = True
        except (OSError, MeasurementError) as error:
            problem = failure.of(error)
            raise
        finally:
            log.tls_handshakes.append(_handshake("udp", self.where, name, problem, begun, log.now()))
            log.mark("quic_handshake_done", address=self.where, proto="udp")

    def send(self, data: bytes) -> None:
        """Send it on the stream."""
        self._peer.put(data)

    def receive(self) -> bytes:
        """Some bytes of the stream; TimeoutError on silence or at the limit."""
        peer = self._peer
        self._await(lambda: bool(peer.received or peer.failure), lambda: peer.datagrams)
        if not peer.received and self._error:
            raise self._error
        return peer.take()

    def crossed(self, direction: str) -> int:
        """Bytes that have arrived."""
        return self._peer.total

    def close(self) -> None:
        """Forget it."""
        self._peer.drop()
        self.client.close(self.ends)

    def _take(self, datagram: bytes | OSError) -> None:
        if isinstance(datagram, OSError):
            self._error = self._error or datagram
            return self._peer.unreachable()
        self.log.event("read_from", self.log.now(), address=self.where, proto="udp", size=len(datagram))
        return self._peer.receive(datagram)


class DryDatagrams(_Stream):
    """Datagrams to and from one port, each as it is."""

    def __init__(
        self, log: MeasurementLog, client: DryClient, address: tuple[str, int], silence: float
    ) -> None:
        super().__init__(log, client, address, silence)
        self._came: list[bytes] = []
        self._error: OSError | None = None
        self._send = client.udp(self.ends, self._take)
        note_flow(log, self.ends, "udp")

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._send(data)
        self.log.event("write_to", self.log.now(), address=self.where, proto="udp", size=len(data))

    def receive(self) -> bytes:
        """The next datagram; TimeoutError on silence."""
        begun = self.log.now()
        came = lambda: bool(self._came or self._error)  # noqa: E731
        if not self.agenda.wait(came, self.agenda.now + self.silence):
            self.log.event("read_from", begun, address=self.where, proto="udp", failure=failure.TIMEOUT)
            raise TimeoutError
        if not self._came and self._error:
            raise self._error
        data = self._came.pop(0)
        self.log.event("read_from", begun, address=self.where, proto="udp", size=len(data))
        return data

    def close(self) -> None:
        """Forget it."""
        self.client.close(self.ends)

    def _take(self, datagram: bytes | OSError) -> None:
        if isinstance(datagram, OSError):
            self._error = datagram
        else:
            self._came.append(datagram)


def refusal(proof: bytes, name: str) -> str | None:
    """Why a client refuses a server's certificate, as a df-007 string; None if it is right."""
    try:
        shown = json.loads(proof)
    except ValueError:
        return "ssl_failed_handshake"
    kind = shown["certificate"]
    if kind == "expired":
        return "ssl_invalid_certificate"
    if kind in ("self-signed", "unknown-authority", "incomplete"):
        return "ssl_unknown_authority"
    known = {text.lower() for text in (*shown["names"], *shown["addresses"])}
    return None if kind == "trusted" and name.lower() in known else "ssl_invalid_hostname"


def _handshake(
    network: str, where: str, name: str, problem: str | None, begun: float, ended: float
) -> TlsHandshake:
    return TlsHandshake(
        network=network,
        address=where,
        server_name=name,
        failure=problem,
        no_tls_verify=False,
        t0=begun,
        t=ended,
        transaction_id=TRANSACTION,
    )
