"""The log of one measurement's steps, from which the measurement is made."""

import platform
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from testbed import __version__
from testbed.measurement.networks import UNKNOWN, AutonomousSystem, RoutingTable
from testbed.measurement.ooni import (
    HttpExchange,
    Measurement,
    NetworkEvent,
    Query,
    TcpConnect,
    TcpInfo,
    TestKeys,
    TlsHandshake,
    TransferSpeed,
)
from testbed.measurement.target import endpoint_text
from testbed.world.scenarioclock import ScenarioClock

EXTENSIONS = {"dnst": 0, "tcpconnect": 0, "tlshandshake": 0, "httpt": 0, "netevents": 0}
TRANSACTION = 1  # every measurement has one request, so all its entries have this number
_MOST_EVENTS = 500  # reads and writes on record; those after it show in bytes_received_cumulative alone
_SAMPLE = 0.25  # s between two of bytes_received_cumulative: OONI's mean
_OPERATIONS = {
    "dns": "resolve",
    "tcp": "connect",
    "tls": "tls_handshake",
    "quic": "quic_handshake",
    "http": "http_round_trip",
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}  # df-000's words
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def utc_now() -> str:
    """The time, UTC, as OONI writes it."""
    return datetime.now(UTC).strftime(_TIME)


@dataclass(frozen=True, slots=True)
class ProbePlace:
    """What the probe cannot find out about where it is; the defaults say that it is unknown."""

    vantage: str = ""
    network: AutonomousSystem = UNKNOWN
    country: str = "ZZ"
    routes: RoutingTable = field(default_factory=RoutingTable)
    test_start_time: str = ""  # when the set of measurements began; "" for one alone
    date: ScenarioClock | None = None  # the scenario's own time


class MeasurementLog:
    """The blocks of one measurement, filled as things happen. Times are seconds since the log was opened."""

    def __init__(self, place: ProbePlace | None = None) -> None:
        self._zero = time.monotonic()
        self._received: dict[tuple[str, str], int] = {}  # bytes by address and protocol
        self._sampled = 0.0
        self._operations = 0  # reads and writes on record
        self.place = place or ProbePlace()
        self.started = utc_now()
        self.date = self.place.date.text() if self.place.date else ""
        self.options: list[str] = []  # in urlgetter's words
        self.queries: list[Query] = []
        self.tcp_connect: list[TcpConnect] = []
        self.tls_handshakes: list[TlsHandshake] = []
        self.requests: list[HttpExchange] = []
        self.network_events: list[NetworkEvent] = []
        self.failure: str | None = None
        self.failed_step: str | None = None
        self.late_replies: list[Query] | None = None  # None if they were not waited for
        self.speed: TransferSpeed | None = None
        self.tcp_info: TcpInfo | None = None
        self.flows: list[str] = []
        self.probe_error: str | None = None
        self.extra: dict[str, object] = {}

    def now(self) -> float:
        """Seconds since the measurement began, to the microsecond."""
        return round(time.monotonic() - self._zero, 6)

    def event(self, operation: str, begun: float, *, address: str = "", proto: str = "", size: int = 0,
              failure: str | None = None) -> None:  # fmt: skip
        """Log an operation on a socket that took `size` bytes in or out."""
        now = self.now()
        if size and operation in ("read", "read_from"):
            self._sample(now)
            self._received[address, proto] = self._received.get((address, proto), 0) + size
        if size:
            self._operations += 1
        if not size or self._operations <= _MOST_EVENTS:
            self._append(operation, begun, now, address=address, proto=proto, size=size, failure=failure)

    def mark(self, name: str, *, address: str = "", proto: str = "") -> None:
        """Log a moment, "resolve_start"."""
        now = self.now()
        self._append(name, now, now, address=address, proto=proto)

    def _append(self, operation: str, begun: float, ended: float, *, address: str, proto: str, size: int = 0,
                failure: str | None = None) -> None:  # fmt: skip
        self.network_events.append(
            NetworkEvent(
                address=address or None,
                failure=failure,
                num_bytes=size or None,
                operation=operation,
                proto=proto or None,
                t0=begun,
                t=ended,
                transaction_id=TRANSACTION,
            )
        )

    def _sample(self, now: float) -> None:
        """Log how much had come at each quarter of a second since the last sample: until now, no more did."""
        while self._sampled + _SAMPLE <= now:
            self._sampled += _SAMPLE
            self._cumulate(self._sampled)

    def _cumulate(self, at: float) -> None:
        for (address, proto), size in self._received.items():
            self._append("bytes_received_cumulative", at, at, address=address, proto=proto, size=size)

    def flow(self, sock: socket.socket, remote: str) -> None:
        """Log the 4-tuple of a socket that has one, in the form of the censors' events.

        `remote` is the far end as "address:port". A socket that the kernel refused to route sent nothing.
        """
        local = sock.getsockname()
        if local[1]:
            proto = "tcp" if sock.type == socket.SOCK_STREAM else "udp"
            self.flows.append(f"{proto} {endpoint_text(local[0], local[1])} > {remote}")

    def failed(self, step: str, failure: str) -> None:
        """Log the step at which the measurement ended; the first one counts."""
        if self.failure is None:
            self.failure, self.failed_step = failure, step

    def measurement(self, target: str, ipv: int, resolver: str) -> Measurement:
        """The measurement as it is now. `resolver` is the address of the first one, "" for none."""
        now = self.now()
        self._sample(now)
        self._cumulate(now)
        place, resolver_network = self.place, self.place.routes.lookup(resolver)
        return Measurement(
            data_format_version="0.2.0",
            extensions=EXTENSIONS,
            target=target,
            started=self.started,
            probe_asn=place.network.text,
            probe_cc=place.country,
            probe_ip="127.0.0.1",
            probe_network_name=place.network.name,
            report_id="",
            resolver_asn=resolver_network.text,
            resolver_ip=resolver or "127.0.0.2",
            resolver_network_name=resolver_network.name,
            software_name="runet-testbed",
            software_version=__version__,
            test_name="urlgetter",
            test_version="0.2.0",
            test_start_time=place.test_start_time or self.started,
            runtime=now,
            monotonic=round(self._zero, 6),
            annotations=_annotations(place.vantage, ipv, self.date),
            options=tuple(dict.fromkeys(self.options)),
            test_keys=self._test_keys(),
        )

    def _test_keys(self) -> TestKeys:
        return TestKeys(
            agent="agent",
            failed_operation=_OPERATIONS.get(self.failed_step, "top_level") if self.failed_step else None,
            failure=self.failure,
            network_events=tuple(sorted(self.network_events, key=lambda event: event.t or 0.0)),
            queries=tuple(self.queries),
            requests=tuple(self.requests),
            tcp_connect=tuple(self.tcp_connect),
            tls_handshakes=tuple(self.tls_handshakes),
            failed_step=self.failed_step,
            dns_late_replies=None if self.late_replies is None else tuple(self.late_replies),
            speed=self.speed,
            tcp_info=self.tcp_info,
            flows=tuple(self.flows),
            probe_error=self.probe_error,
            extra=dict(self.extra),
        )


def _annotations(vantage: str, ipv: int, date: str) -> dict[str, str]:
    machine = platform.machine()
    dated = {"scenario_time": date} if date else {}
    return {
        **dated,
        "architecture": _ARCHITECTURES.get(machine, machine),
        "engine_name": "runet-testbed",
        "engine_version": __version__,
        "platform": "linux",
        "python_version": platform.python_version(),
        "vantage": vantage,
        "ip_version": str(ipv),
    }
