"""The log of one measurement's steps, from which the measurement is made."""

import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from testbed import __version__
from testbed.measurement.ooni import (
    HttpExchange,
    LateReply,
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

EXTENSIONS = {"dnst": 0, "tcpconnect": 0, "tlshandshake": 0, "httpt": 0, "netevents": 0}
TRANSACTION = 1  # every measurement has one request, so all its entries have this number
_MERGE = 0.01  # s; reads (or writes) closer together become one event, so that a bulk transfer stays readable


class MeasurementLog:
    """The blocks of one measurement, filled as things happen. Times are seconds since the log was opened."""

    def __init__(self) -> None:
        self._zero = time.monotonic()
        self._last_event = 0.0
        self.started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.queries: list[Query] = []
        self.tcp_connect: list[TcpConnect] = []
        self.tls_handshakes: list[TlsHandshake] = []
        self.requests: list[HttpExchange] = []
        self.network_events: list[NetworkEvent] = []
        self.failure: str | None = None
        self.failed_step: str | None = None
        self.late_replies: list[LateReply] | None = None  # None if they were not waited for
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
        """Log an operation on a socket; reads (or writes) in quick succession are added up."""
        now = self.now()
        last = self.network_events[-1] if self.network_events else None
        quick = now - self._last_event < _MERGE
        self._last_event = now
        if size and last is not None and last.num_bytes and last.operation == operation and quick:
            self.network_events[-1] = replace(last, num_bytes=last.num_bytes + size, t=now)
            return
        self.network_events.append(
            NetworkEvent(operation, begun, now, TRANSACTION, failure, address, proto, size or None)
        )

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

    def measurement(self, target: str, vantage: str, ipv: int, about: Mapping[str, str]) -> Measurement:
        """The measurement as it is now. `about` may give probe_asn, probe_cc and probe_network_name."""
        return Measurement(
            data_format_version="0.2.0",
            extensions=EXTENSIONS,
            target=target,
            started=self.started,
            probe_asn=about.get("probe_asn", "AS0"),
            probe_cc=about.get("probe_cc", "ZZ"),
            probe_ip="127.0.0.1",
            probe_network_name=about.get("probe_network_name", ""),
            report_id="",
            resolver_asn="AS0",
            resolver_ip="127.0.0.1",
            resolver_network_name="",
            software_name="runet-testbed",
            software_version=__version__,
            test_name="testbed_probe",
            test_version="0.1.0",
            test_start_time=self.started,
            runtime=self.now(),
            annotations={"vantage": vantage, "ip_version": str(ipv)},
            test_keys=self._test_keys(),
        )

    def _test_keys(self) -> TestKeys:
        return TestKeys(
            tuple(self.queries),
            tuple(self.tcp_connect),
            tuple(self.tls_handshakes),
            tuple(self.requests),
            tuple(self.network_events),
            failure=self.failure,
            failed_step=self.failed_step,
            dns_late_replies=None if self.late_replies is None else tuple(self.late_replies),
            speed=self.speed,
            tcp_info=self.tcp_info,
            flows=tuple(self.flows),
            probe_error=self.probe_error,
            extra=dict(self.extra),
        )
