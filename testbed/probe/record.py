"""The measurement as a value, and the notebook in which the steps write it down (OONI data format)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from testbed import __version__

EXTENSIONS = {"dnst": 0, "tcpconnect": 0, "tlshandshake": 0, "httpt": 0, "netevents": 0}
_BLOCKS = ("queries", "tcp_connect", "tls_handshakes", "requests", "network_events")
_MERGE = 0.01  # s; reads (or writes) closer together become one event, so that a bulk transfer stays readable


@dataclass(frozen=True, slots=True)
class Measurement:
    """One target measured once from one vantage. `test_keys` holds the blocks df-001 to df-008."""

    vantage: str
    target: str
    ipv: int  # 4 or 6
    started: str  # UTC, "2022-03-05 12:00:00"
    runtime: float  # seconds
    test_keys: Mapping[str, Any]
    probe: Mapping[str, Any] = field(default_factory=dict)  # probe_asn, probe_cc, probe_network_name, …

    @property
    def failure(self) -> str | None:
        """The df-007 string of the step that failed, None if all went well."""
        return self.test_keys.get("failure")

    def to_json(self) -> dict[str, Any]:
        """One OONI measurement (envelope 0.2.0); lab data in `annotations` and in keys that start with x_."""
        return {
            "data_format_version": "0.2.0",
            "extensions": EXTENSIONS,
            "input": self.target,
            "measurement_start_time": self.started,
            "probe_asn": "AS0",
            "probe_cc": "ZZ",
            "probe_ip": "127.0.0.1",
            "probe_network_name": "",
            "report_id": "",
            "resolver_asn": "AS0",
            "resolver_ip": "127.0.0.1",
            "resolver_network_name": "",
            "software_name": "runet-testbed",
            "software_version": __version__,
            "test_name": "testbed_probe",
            "test_version": "0.1.0",
            "test_start_time": self.started,
            "test_runtime": round(self.runtime, 6),
            **self.probe,
            "annotations": {"vantage": self.vantage, "ip_version": str(self.ipv)},
            "test_keys": dict(self.test_keys),
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Measurement":
        """The value that `to_json` wrote."""
        notes = line["annotations"]
        probe = {key: line[key] for key in ("probe_asn", "probe_cc", "probe_network_name") if key in line}
        started, runtime, keys = line["measurement_start_time"], line["test_runtime"], line["test_keys"]
        return cls(notes["vantage"], line["input"], int(notes["ip_version"]), started, runtime, keys, probe)


class Notebook:
    """Collects what the steps of one measurement saw. Times are seconds since it was opened."""

    def __init__(self) -> None:
        self._zero = time.monotonic()
        self.started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self.keys: dict[str, Any] = {block: [] for block in _BLOCKS}
        self.keys["failure"] = self.keys["x_failed_step"] = None

    def now(self) -> float:
        """Seconds since the measurement began, to the microsecond."""
        return round(time.monotonic() - self._zero, 6)

    def note(self, block: str, entry: dict[str, Any], begun: float) -> None:
        """Put one entry into a block, with its two times."""
        self.keys[block].append({**entry, "t0": begun, "t": self.now(), "transaction_id": 1})

    def event(self, operation: str, begun: float, *, address: str = "", proto: str = "", size: int = 0,
              failure: str | None = None) -> None:  # fmt: skip
        """Write one network event (df-008); rapid reads and writes are added up."""
        events, now = self.keys["network_events"], self.now()
        last = events[-1] if events else None
        if size and last and last["operation"] == operation and now - last["t"] < _MERGE:
            last["num_bytes"] += size
            last["t"] = now
            return
        entry: dict[str, Any] = {"operation": operation, "t0": begun, "t": now, "transaction_id": 1}
        entry |= {"failure": failure, "address": address, "proto": proto}
        events.append(entry | ({"num_bytes": size} if size else {}))

    def failed(self, step: str, failure: str) -> None:
        """Remember the step at which the measurement ended, the first one counts."""
        if self.keys["failure"] is None:
            self.keys["failure"], self.keys["x_failed_step"] = failure, step
