"""zgrab2's JSON lines: <https://github.com/zmap/zgrab2>, status.go and processing.go.

The status words are coarse: a read that ends in a reset is `io-timeout`, and so is an end of the stream. The
text in `error` says what it was, so that is read first.
"""

from typing import Any, Final

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.failures import kind_of, mechanisms
from testbed.detectors.reading import Notes, json_lines, object_of, text_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict
from testbed.truth.blockpages import BLOCK_PAGE_TEXTS, UNAVAILABLE_FOR_LEGAL_REASONS

_FIELDS: Final = {"ip", "port", "domain", "data", "error"}
_SCAN: Final = {"status", "protocol", "port", "result", "timestamp", "error"}
# status word -> the step in which it comes, and the kind of failure where `error` has no known words
_STATUSES: Final = {
    "connection-refused": ("tcp", "refused"),
    "connection-timeout": ("tcp", "timeout"),
    "connection-closed": ("", "closed"),
    "handshake-error": ("tls", "garbage"),
    "post-tls-application-error": ("sealed", ""),
    "io-timeout": ("", "timeout"),
    "protocol-error": ("", "garbage"),
    "application-error": ("", "garbage"),
    "unknown-error": ("", ""),
}
_HANDSHAKE: Final = "complete tls handshake"  # also within "unable to dial" of the http module, over TLS
_UNRESOLVED: Final = "could not resolve"
_OWN: Final = {"invalid-inputs", "blocklisted-target"}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each module of each line."""
    notes = Notes()
    for place, record in json_lines(output.text, notes):
        notes.unknown_fields(place, record, _FIELDS)
        name = text_of(record.get("domain")) or text_of(record.get("ip")) or output.target
        scans = object_of(record.get("data"))
        if not scans:
            _without_scan(name, text_of(record.get("error")), place, notes)
        for module, scan in scans.items():
            _add(name, module, object_of(scan), place, notes)
    return notes.report()


def _without_scan(name: str, error: str, place: str, notes: Notes) -> None:
    """A line whose name did not resolve has no module, so it has no scheme either."""
    found = mechanisms("dns", kind_of(error)) if _UNRESOLVED in error else ()
    if found:
        notes.add(ToolVerdict(name, "blocked", found, error))
    else:
        notes.complain("not a result", place, error or "no data")


def _add(name: str, module: str, scan: dict[str, Any], place: str, notes: Notes) -> None:
    notes.unknown_fields(place, scan, _SCAN)
    status, error = text_of(scan.get("status")), text_of(scan.get("error"))
    words = f"{status}: {error}" if error else status
    target = f"{'http' if module == 'http' and scan.get('port') == 80 else 'https'}://{name}/"
    if status == "success":
        page = _page(scan)
        notes.add(ToolVerdict(target, "blocked" if page else "free", page, words))
    elif status in _STATUSES:
        step, otherwise = _STATUSES[status]
        step = "tls" if _HANDSHAKE in error else step or _step(scan, target, error)
        found = mechanisms(step, kind_of(error) or otherwise)
        notes.add(ToolVerdict(target, "blocked" if found else "inconclusive", found, words))
    else:
        if status not in _OWN:
            notes.complain("unknown failure", place, f"status {status!r}")
        notes.add(ToolVerdict(target, "inconclusive", words=words))


def _step(scan: dict[str, Any], target: str, error: str) -> str:
    """Where a read or write failed: during the TLS handshake, or at the request."""
    if "dial" in error:
        return "dns" if "lookup" in error else "tcp"
    result = object_of(scan.get("result"))
    handshake = object_of(object_of(result.get("handshake_log")).get("server_hello"))
    if target.startswith("http:"):
        return "http"
    return "sealed" if handshake else "tls"


def _page(scan: dict[str, Any]) -> tuple[str, ...]:
    response = object_of(object_of(scan.get("result")).get("response"))
    body = text_of(response.get("body"))
    known = response.get("status_code") == UNAVAILABLE_FOR_LEGAL_REASONS
    return ("http.page",) if known or any(text in body for text in BLOCK_PAGE_TEXTS) else ()


ZGRAB2 = Adapter(
    name="zgrab2",
    title="zgrab2, JSON lines of tls and http",
    read=read,
    observes=EVERYTHING
    - {"dns.poison", "tls.mitm", "throttle", "conncount", "vpn.drop", "quic.drop", "quic.sni.drop"},
)
