"""Measure one target from where this process runs, step by step: DNS, TCP, TLS or QUIC, HTTP.

The process must already be inside the vantage's network namespace. The measurement ends at the first step
that fails, and redirects are written down, not followed.
"""

import time
from collections.abc import Mapping
from typing import Any

from testbed.probe import aim as aims
from testbed.probe import failure, http1, lookup
from testbed.probe.aim import Aim
from testbed.probe.failure import MeasurementError
from testbed.probe.record import Measurement, Notebook
from testbed.probe.stream import TcpStream, TlsStream, client_context

PATIENCE = 2.5  # a step that goes on, however slowly, may last this many time-outs: 10 s as in OONI (OONI22)


def measure(
    target_url: str,
    *,
    resolver: tuple[str, ...] | None = None,
    timeout: float = 4.0,
    ipv: int = 4,
    ca_file: str | None = None,
    vantage: str = "",
    about: Mapping[str, Any] | None = None,
) -> Measurement:
    """One measurement of one target; InputError if the URL is none that the probe knows.

    resolver: addresses ("8.8.8.8", "[::1]:5353"), asked in order; None reads /etc/resolv.conf.
    timeout: seconds of silence that count as an answer that will never come.
    ipv: 4 asks for A and connects over IPv4, 6 for AAAA.
    ca_file: PEM bundle to trust; None is the system's.
    about: envelope fields that the probe cannot know (probe_asn, probe_cc, probe_network_name).
    """
    aim, book, begun = aims.parse(target_url), Notebook(), time.monotonic()
    resolvers = resolver if resolver is not None else lookup.system_resolvers()
    run = _Run(book, aim, resolvers, timeout, ipv, ca_file)
    try:
        run.all_steps()
    except (MeasurementError, OSError, EOFError) as error:
        book.failed(run.step, failure.of(error))
    except (
        Exception
    ) as error:  # a bug of ours must be seen as one, and must not take the other targets with it
        book.failed(run.step, failure.of(error))
        book.keys["x_probe_error"] = failure.of(error)
    runtime = time.monotonic() - begun
    return Measurement(vantage, target_url, ipv, book.started, runtime, book.keys, dict(about or {}))


class _Run:
    """The steps of one measurement; `step` is the one that runs, in OONI's words for layers."""

    def __init__(self, book: Notebook, aim: Aim, resolvers: tuple[str, ...], timeout: float, ipv: int,
                 ca_file: str | None) -> None:  # fmt: skip
        self.book, self.aim, self.resolvers = book, aim, resolvers
        self.timeout, self.ipv, self.ca_file = timeout, ipv, ca_file
        self.step = "dns"

    def all_steps(self) -> None:
        """Run them; the first that fails raises."""
        if self.aim.kind == "dns":
            self._question()
            return
        address = self._address()
        if self.aim.kind == "h3":
            self._over_quic(address)
        else:
            self._over_tcp(address)

    def _question(self) -> None:
        own = self.aim.host == aims.OWN_RESOLVER
        if own and not self.resolvers:
            raise MeasurementError("dns_non_recoverable_failure")
        server = lookup.endpoint(self.resolvers[0]) if own else (self._address(), self.aim.port)
        query = lookup.Lookup(self.book, self.aim.name, server, self.ipv)
        try:
            if self.aim.tcp:
                query.over_tcp(self.timeout)
            else:
                query.over_udp(self.timeout)
                query.listen_on()
        finally:
            query.close()

    def _address(self) -> str:
        if self.aim.literal:
            return self.aim.host
        return lookup.resolve(self.book, self.aim.host, self.resolvers, self.ipv, self.timeout)[0]

    def _over_tcp(self, address: str) -> None:
        self.step = "tcp"
        tcp = TcpStream(self.book, (address, self.aim.port), self.timeout)
        try:
            tcp.connect()
            stream: TcpStream | TlsStream = tcp
            if self.aim.kind == "https":
                self.step = "tls"
                stream = TlsStream(tcp, self.aim.host, client_context(self.ca_file))
                tcp.allow(PATIENCE * self.timeout)
                stream.handshake()
            self.step = "http"
            http1.fetch(self.book, stream, self.aim, PATIENCE * self.timeout)
        finally:
            tcp.close()

    def _over_quic(self, address: str) -> None:
        from testbed.probe import quic  # heavy

        self.step = "quic"
        quic.fetch(self.book, self.aim, address, self.ca_file, self.timeout, PATIENCE * self.timeout)
