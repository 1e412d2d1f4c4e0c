"""The steps that a kind of target may take: DNS, TCP, TLS, QUIC, HTTP, each logged."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.measurement import codec
from testbed.measurement.ooni import TestKeys
from testbed.measurement.passage import DIRECT, Passage
from testbed.measurement.target import Connection, Target, endpoint_text, is_address
from testbed.probe import firstflight, http1, lookup
from testbed.probe.connection import TcpConnection, TlsConnection, client_context
from testbed.probe.datagrams import UdpConnection
from testbed.probe.failure import MeasurementError
from testbed.probe.http1 import OutgoingRequest
from testbed.probe.log import MeasurementLog

PATIENCE = 2.5  # a step that makes progress may last this many time-outs: 10 s as in OONI (OONI22)


class LoggedSteps:
    """The steps of one measurement, as `testbed.measurement.target.Steps`.

    `step` is the current one, in OONI's words for layers.
    """

    def __init__(self, log: MeasurementLog, resolvers: tuple[str, ...], timeout: float, ipv: int,
                 ca_file: str | None, passage: Passage = DIRECT) -> None:  # fmt: skip
        self._log, self._resolvers, self._ca_file = log, resolvers, ca_file
        self._passage = passage
        self.timeout, self.ipv = timeout, ipv
        self.step = "dns"

    def resolve(self, host: str) -> str:
        """An address of `host`, of version `ipv`; `host` itself if it is an address."""
        if is_address(host):
            return host
        self.step = "dns"
        if (chosen := self._passage.resolver_at) is not None:
            from testbed.probe.otherdns import resolve_at  # few measurements need it

            return resolve_at(
                self._log,
                host,
                chosen,
                self._resolvers,
                ipv=self.ipv,
                timeout=self.timeout,
                ca_file=self._ca_file,
            )[0]
        return lookup.resolve(self._log, host, self._resolvers, self.ipv, self.timeout)[0]

    @contextmanager
    def connect(self, target: Target) -> Iterator[TcpConnection]:
        """Resolve the target's host and open a TCP connection to its port."""
        proxy = self._passage.proxy_at
        where = (proxy.host, proxy.port) if proxy else (self.resolve(target.host), target.port)
        self.step = "tcp"
        tcp = TcpConnection(self._log, where, self.timeout)
        try:
            tcp.connect()
            if proxy:
                from testbed.probe.tunnel import ask_proxy

                tcp.allow(PATIENCE * self.timeout)
                ask_proxy(tcp, proxy, target.host, target.port)
            yield tcp
        finally:
            tcp.close()

    @contextmanager
    def datagrams(self, target: Target) -> Iterator[UdpConnection]:
        """Resolve the target's host and take a UDP port for datagrams to it. A proxy carries none."""
        address = self.resolve(target.host)
        self.step = "datagrams"
        udp = UdpConnection(self._log, (address, target.port), self.timeout)
        try:
            udp.connect()
            yield udp
        finally:
            udp.close()

    def secure(self, connection: Connection, name: str, *, protocol: str = "http/1.1") -> TlsConnection:
        """Complete a TLS handshake on `connection` with `name` as SNI; the certificate is verified."""
        assert isinstance(connection, TcpConnection)
        self.step = "tls"
        passage = self._passage
        context = client_context(self._ca_file, padded=passage.hello == "padded", protocol=protocol)
        tls = TlsConnection(connection, passage.server_name or name, context, protocol)
        connection.allow(PATIENCE * self.timeout)
        tls.handshake()
        return tls

    def offer(self, flow: Connection, hello: bytes, name: str) -> bytes:
        """Send a ClientHello or an Initial as it is; the first bytes that come back."""
        assert isinstance(flow, TcpConnection | UdpConnection)
        secure = isinstance(flow, TcpConnection)
        self.step = "tls" if secure else "quic"
        return firstflight.offer(flow, hello, name, "tcp" if secure else "udp")

    def fetch(self, connection: Connection, target: Target, *, upload: int = 0) -> None:
        """One GET of the target's path, or a PUT of `upload` bytes. Redirects are not followed.

        Over a connection that was secured for HTTP/2, there are no uploads.
        """
        assert isinstance(connection, TcpConnection | TlsConnection)
        self.step = "http"
        self._log.options += ["NoFollowRedirects=true", *(["Method=PUT"] if upload else [])]
        secure = isinstance(connection, TlsConnection)
        if isinstance(connection, TlsConnection) and connection.protocol == "h2":
            from testbed.probe import http2  # few measurements need it

            request = OutgoingRequest(target, secure=True, version="2")
            http2.fetch(self._log, connection, request, PATIENCE * self.timeout)
            return
        request = OutgoingRequest(target, secure=secure, upload=upload)
        http1.fetch(self._log, connection, request, PATIENCE * self.timeout)

    def fetch_http3(self, target: Target) -> None:
        """Resolve the target's host, connect by QUIC, send one HTTP/3 GET."""
        self._log.options += ["HTTP3Enabled=true", "NoFollowRedirects=true"]
        self._quic(target, request=True)

    def open_quic(self, target: Target) -> None:
        """Resolve the target's host and complete a QUIC handshake."""
        self._quic(target, request=False)

    def random_bytes(self, size: int) -> bytes:
        """Bytes that nothing else has."""
        return os.urandom(size)

    def _quic(self, target: Target, *, request: bool) -> None:
        from testbed.probe import http3  # heavy

        address = self.resolve(target.host)
        self.step = "quic"
        decoy = http3.DECOY if self._passage.quic == "decoy" else b""
        patience = PATIENCE * self.timeout
        http3.connect(
            self._log,
            target,
            address,
            self._ca_file,
            self.timeout,
            patience,
            decoy,
            draft_29=self._passage.quic == "draft-29",
            request=request,
        )

    def ask(self, name: str, target: Target | None, *, tcp: bool = False, kind: str = "") -> None:
        """Ask the resolver at the target's host and port for `name`; None is the vantage's own resolver.

        `kind` is the type of record; "" is that of the IP version.
        """
        if target is None and not self._resolvers:
            raise MeasurementError("dns_non_recoverable_failure")
        server = (
            lookup.endpoint(self._resolvers[0])
            if target is None
            else (self.resolve(target.host), target.port)
        )
        self._log.options.append(f"ResolverURL={'tcp' if tcp else 'udp'}://{endpoint_text(*server)}")
        query = lookup.Lookup(self._log, name, server, self.ipv, kind)
        try:
            if tcp:
                query.over_tcp(self.timeout)
            else:
                query.over_udp(self.timeout)
                query.wait_for_late_replies()
        finally:
            query.close()

    def ask_within(
        self, connection: Connection, name: str, target: Target, *, path: str = "", kind: str = ""
    ) -> None:
        """Ask for `name` on a connection that was secured; `path`: by a POST there (DoH), else as DoT."""
        from testbed.probe import otherdns  # few measurements need it

        assert isinstance(connection, TlsConnection)
        self.step = "dns"
        where = f"[{target.host}]" if ":" in target.host else target.host
        self._log.options.append(f"ResolverURL={'https' if path else 'dot'}://{where}:{target.port}{path}")
        connection.tcp.allow(PATIENCE * self.timeout)
        server = connection.tcp.address
        otherdns.ask_within(
            lookup.Lookup(self._log, name, server, self.ipv, kind), connection, target.host, path
        )

    def note(self, key: str, value: object) -> None:
        """Put a JSON value into the test keys. ValueError if `key` lacks x_ or is one of the probe's own."""
        if not key.startswith("x_") or key in codec.keys(TestKeys):
            raise ValueError(f"{key!r} is not a free key that begins with x_")
        self._log.extra[key] = json.loads(json.dumps(value))
