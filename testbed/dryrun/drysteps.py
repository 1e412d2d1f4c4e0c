"""The steps of a measurement, taken by a client of a named shape in counted time.

What the probe does over sockets, a kind of target does here over a way: the same measurement comes of it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import lru_cache
from random import Random
from typing import Final

import dns.message

from testbed.dryrun.dryclient import DryClient, DryLog, note_flow
from testbed.dryrun.dryfetch import fetch
from testbed.dryrun.drystreams import DryConnection, DryDatagrams, DryQuic, DryTls
from testbed.measurement import codec
from testbed.measurement.ooni import TestKeys
from testbed.measurement.target import Connection, Target, is_address
from testbed.probe import failure, firstflight
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import OutgoingRequest
from testbed.probe.log import MeasurementLog
from testbed.probe.logged_steps import PATIENCE
from testbed.probe.lookup import Lookup, ReadAnswer, endpoint, read_answer
from testbed.probe.otherdns import ask_within
from testbed.shapes.known import ClientShape

_LATE: Final = 0.2  # seconds that a lookup waits for further answers, as the probe


class DrySteps:
    """The steps, as `testbed.measurement.target.Steps`."""

    def __init__(
        self,
        log: DryLog,
        client: DryClient,
        resolvers: tuple[str, ...],
        ipv: int,
        timeout: float,
        shape: ClientShape,
        draw: int,
    ) -> None:
        """`draw` numbers the client's connection, for shapes that vary."""
        self.log, self.timeout, self.ipv, self.step = log, timeout, ipv, "dns"
        self._client, self._agenda = client, client.agenda
        self._resolvers, self._shape, self._draw = resolvers, shape, draw
        self._chance = Random(f"{draw} bytes")

    def random_bytes(self, size: int) -> bytes:
        """Bytes that follow from the connection's number: the same question has the same answer."""
        return self._chance.randbytes(size)

    def resolve(self, host: str) -> str:
        """An address of `host`; `host` itself if it is an address."""
        if is_address(host):
            return host
        self.step = "dns"
        self.log.mark("resolve_start")
        try:
            for resolver in self._resolvers:
                lookup = self._lookup(host, endpoint(resolver))
                try:
                    return lookup.over_udp(self.timeout / len(self._resolvers))[0]
                except MeasurementError as error:
                    if str(error) != failure.TIMEOUT or resolver == self._resolvers[-1]:
                        raise
        finally:
            self.log.mark("resolve_done")
        raise MeasurementError("dns_non_recoverable_failure")

    @contextmanager
    def connect(self, target: Target) -> Iterator["DryConnection"]:
        """Resolve the target's host and open a TCP connection to its port."""
        address = self.resolve(target.host)
        self.step = "tcp"
        connection = DryConnection(self.log, self._client, (address, target.port), self.timeout)
        try:
            connection.open()
            yield connection
        finally:
            connection.close()

    @contextmanager
    def datagrams(self, target: Target) -> Iterator["DryDatagrams"]:
        """Resolve the target's host; what is sent and received are datagrams to and from its UDP port."""
        address = self.resolve(target.host)
        self.step = "datagrams"
        talk = DryDatagrams(self.log, self._client, (address, target.port), self.timeout)
        try:
            yield talk
        finally:
            talk.close()

    def secure(self, connection: Connection, name: str, *, protocol: str = "http/1.1") -> "DryTls":
        """Complete a TLS handshake with `name` as SNI; the shape says what it offers by ALPN."""
        assert isinstance(connection, DryConnection)
        self.step = "tls"
        if self._shape.hello is None:
            raise MeasurementError(f"{failure.UNKNOWN}: {self._shape.key} does not speak TLS over TCP")
        tls = DryTls(connection, name)
        connection.allow(PATIENCE * self.timeout)
        tls.handshake(self._shape.hello(name, self._draw))
        return tls

    def offer(self, flow: Connection, hello: bytes, name: str) -> bytes:
        """Send a ClientHello or an Initial as it is; the first bytes that come back."""
        assert isinstance(flow, DryConnection | DryDatagrams)
        secure = isinstance(flow, DryConnection)
        self.step = "tls" if secure else "quic"
        return firstflight.offer(flow, hello, name, "tcp" if secure else "udp")

    def fetch(self, connection: Connection, target: Target, *, upload: int = 0) -> None:
        """One HTTP/1.1 GET of the target's path, or a PUT of `upload` bytes."""
        assert isinstance(connection, DryConnection | DryTls)
        self.step = "http"
        request = OutgoingRequest(target, secure=isinstance(connection, DryTls), upload=upload)
        fetch(self.log, connection, request, PATIENCE * self.timeout)

    def fetch_http3(self, target: Target) -> None:
        """Resolve the target's host, connect by QUIC, send one HTTP/3 GET."""
        with self._quic(target) as connection:
            request = OutgoingRequest(target, secure=True, version="3")
            fetch(self.log, connection, request, PATIENCE * self.timeout)

    def open_quic(self, target: Target) -> None:
        """Resolve the target's host and complete a QUIC handshake."""
        with self._quic(target):
            pass

    @contextmanager
    def _quic(self, target: Target) -> Iterator[DryQuic]:
        address = self.resolve(target.host)
        self.step = "quic"
        if self._shape.flight is None:
            raise MeasurementError(f"{failure.UNKNOWN}: {self._shape.key} does not speak QUIC")
        flight = self._shape.flight(target.host, self._draw)
        connection = DryQuic(self.log, self._client, (address, target.port), self.timeout, flight)
        try:
            connection.allow(PATIENCE * self.timeout)
            connection.handshake(target.host)
            yield connection
        finally:
            connection.close()

    def ask(self, name: str, target: Target | None, *, tcp: bool = False, kind: str = "") -> None:
        """Ask the resolver at the target's host and port for `name`; None is the vantage's own resolver."""
        server = endpoint(self._resolvers[0]) if target is None else (self.resolve(target.host), target.port)
        lookup = self._lookup(name, server, kind)
        if tcp:
            lookup.over_tcp(self.timeout)
        else:
            lookup.over_udp(self.timeout)
            lookup.wait_for_late_replies()

    def ask_within(
        self, connection: Connection, name: str, target: Target, *, path: str = "", kind: str = ""
    ) -> None:
        """Ask for `name` on a connection that was secured; `path`: by a POST there (DoH), else as DoT."""
        assert isinstance(connection, DryTls)
        self.step = "dns"
        connection.tcp.allow(PATIENCE * self.timeout)
        ask_within(self._lookup(name, connection.tcp.address, kind), connection, target.host, path)

    def note(self, key: str, value: object) -> None:
        """Put a JSON value into the test keys."""
        if not key.startswith("x_") or key in codec.keys(TestKeys):
            raise ValueError(f"{key!r} is not a free key that begins with x_")
        self.log.extra[key] = json.loads(json.dumps(value))

    def _lookup(self, name: str, server: tuple[str, int], kind: str = "") -> "DryLookup":
        made = DryLookup(self.log, name, server, self.ipv, self._client, kind)
        made.query.id = Random(f"{self._draw} {name} {made.kind} {server}").getrandbits(16)
        return made


@lru_cache(1024)
def _question(name: str, kind: str) -> tuple[dns.message.Message, bytes]:
    """A question as a message, and its bytes after the number."""
    made = dns.message.make_query(name, kind)
    return made, made.to_wire()[2:]


@lru_cache(1024)
def _read(raw: bytes, kind: str) -> ReadAnswer:
    """What an answer says, read once; `raw` is without its number."""
    return read_answer(b"\0\0" + raw, kind)


class DryLookup(Lookup):
    """One question to one resolver, over a way."""

    def __init__(
        self,
        log: MeasurementLog,
        name: str,
        resolver: tuple[str, int],
        ipv: int,
        client: DryClient,
        kind: str,
    ) -> None:
        super().__init__(log, name, resolver, ipv, kind)
        self._client, self._answers = client, list[bytes]()
        self._error: OSError | None = None

    def _question(self) -> dns.message.Message:
        return copy(_question(self.name, self.kind)[0])

    def _read(self, raw: bytes) -> ReadAnswer:
        return _read(raw[2:], self.kind)

    def over_udp(self, timeout: float) -> list[str]:
        """Ask, ask once more, give up after `timeout` seconds."""
        agenda, begun = self._client.agenda, self.log.now()
        ends = self._client.ends(*self.resolver)
        send = self._client.udp(ends, self._take)
        note_flow(self.log, ends, "udp")
        wire = self.query.id.to_bytes(2, "big") + _question(self.name, self.kind)[1]
        for _ in range(2):
            send(wire)
            agenda.wait(lambda: bool(self._answers or self._error), agenda.now + timeout / 2)
            if self._answers or self._error:
                break
        problem = failure.of(self._error) if self._error else failure.TIMEOUT
        return self.settle("udp", self._answers[0] if self._answers else None, problem, begun)

    def over_tcp(self, timeout: float) -> list[str]:
        """The same over TCP."""
        connection = DryConnection(self.log, self._client, self.resolver, timeout)
        begun, raw = self.log.now(), b""
        try:
            connection.open()
            connection.allow(timeout)
            wire = self.query.to_wire()
            connection.send(len(wire).to_bytes(2, "big") + wire)
            while len(raw) < 2 or len(raw) < 2 + int.from_bytes(raw[:2], "big"):
                if not (more := connection.receive()):
                    return self.settle("tcp", None, failure.EOF, begun)
                raw += more
        except OSError as error:
            if not connection.peer.open:
                raise
            return self.settle("tcp", None, failure.of(error), begun)
        finally:
            connection.close()
        return self.settle("tcp", raw[2:], None, begun)

    def wait_for_late_replies(self) -> None:
        """Wait a moment for more answers."""
        agenda, begun = self._client.agenda, self.log.now()
        agenda.wait(lambda: False, agenda.now + _LATE)
        self.log.late_replies = [self._query("udp", raw, None, begun) for raw in self._answers[1:]]

    def _take(self, data: bytes | OSError) -> None:
        if isinstance(data, OSError):
            self._error = data
        elif data[:2] == self.query.id.to_bytes(2, "big"):
            self._answers.append(data)
