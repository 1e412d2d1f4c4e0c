"""Chromium's NetLog: <https://www.chromium.org/developers/design-documents/network-stack/netlog/>.

The log names its own constants. A browser that is killed leaves it without its end; what is complete is read,
and the cut is reported. Of a target that was given only its own requests count: a browser asks for more.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.failures import mechanisms
from testbed.detectors.reading import Notes, items_of, number_of, object_of, text_of, url_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict
from testbed.foreignjson import json_value
from testbed.truth.blockpages import BLOCK_PAGE_HOSTS

# net/base/net_error_list.h -> step and kind, as in testbed.detectors.failures; "" is the URL's own step
_ERRORS: Final = {
    "ERR_NAME_NOT_RESOLVED": ("dns", "nxdomain"), "ERR_NAME_RESOLUTION_FAILED": ("dns", ""),
    "ERR_DNS_TIMED_OUT": ("dns", "timeout"), "ERR_DNS_SERVER_FAILED": ("dns", ""),
    "ERR_CONNECTION_TIMED_OUT": ("tcp", "timeout"), "ERR_CONNECTION_REFUSED": ("tcp", "refused"),
    "ERR_CONNECTION_FAILED": ("tcp", "timeout"), "ERR_ADDRESS_UNREACHABLE": ("tcp", "unreachable"),
    "ERR_NETWORK_ACCESS_DENIED": ("tcp", "unreachable"), "ERR_CONNECTION_RESET": ("", "reset"),
    "ERR_CONNECTION_ABORTED": ("", "reset"), "ERR_CONNECTION_CLOSED": ("", "closed"),
    "ERR_EMPTY_RESPONSE": ("http", "closed"), "ERR_TIMED_OUT": ("", "timeout"),
    "ERR_SSL_PROTOCOL_ERROR": ("tls", "garbage"), "ERR_INVALID_HTTP_RESPONSE": ("http", "garbage"),
    "ERR_QUIC_PROTOCOL_ERROR": ("quic", "timeout"), "ERR_QUIC_HANDSHAKE_FAILED": ("quic", "timeout"),
    "ERR_CONTENT_LENGTH_MISMATCH": ("answer", "closed"),
    "ERR_INCOMPLETE_CHUNKED_ENCODING": ("answer", "closed"),
}  # fmt: skip
_OWN: Final = {"ERR_ABORTED", "ERR_CACHE_MISS", "ERR_BLOCKED_BY_CLIENT", "ERR_INTERNET_DISCONNECTED",
               "ERR_NETWORK_CHANGED", "ERR_FAILED"}  # fmt: skip
_PENDING: Final = "ERR_IO_PENDING"  # the call goes on: no result
_URL_EVENTS: Final = {"URL_REQUEST_START_JOB", "REQUEST_ALIVE"}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each URL that was requested, by the last error of its last request."""
    notes = Notes()
    log = _log(output.text, notes)
    if log is None:
        return notes.report()
    constants = object_of(log.get("constants"))
    types, errors = (_by_number(constants.get(name)) for name in ("logEventTypes", "netError"))
    if not types or not errors:
        notes.complain("not a result", "", "no logEventTypes or netError in its constants")
        return notes.report()
    asked = urlsplit(output.target).hostname
    for url, ending in _requests(log, types).items():
        if url_of(url).scheme in ("http", "https") and asked in (None, url_of(url).hostname):
            _add(url, ending, errors, notes)
    return notes.report()


def _log(text: str, notes: Notes) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        found = json_value(text)
    except ValueError:
        number = text.count("\n") + 1
        lines = text.rstrip().splitlines()
        notes.complain("truncated line", f"line {number}", "the log has no end")
        for kept in (lines, lines[:-1]):  # the last event may be cut itself
            try:
                found = json_value("\n".join(kept).rstrip().rstrip(",") + "]}")
                break
            except ValueError:
                continue
        else:
            return None
    if isinstance(found, dict) and "events" in found:
        return found
    notes.complain("not a result", "", "no events")
    return None


def _by_number(names: object) -> dict[int, str]:
    return {number: name for name, number in object_of(names).items() if isinstance(number, int)}


def _requests(log: dict[str, Any], types: dict[int, str]) -> dict[str, dict[str, Any]]:
    """URL -> `error` (a number, 0 for none) and `redirect` of its last request."""
    urls: dict[int | None, str] = {}
    found: dict[str, dict[str, Any]] = {}
    for event in map(object_of, items_of(log["events"])):
        source, params = number_of(object_of(event.get("source")).get("id")), object_of(event.get("params"))
        name = types.get(number_of(event.get("type")) or 0, "")
        if name in _URL_EVENTS and (url := text_of(params.get("url"))) and urls.get(source) != url:
            urls[source] = url
            found[url] = {"error": None, "redirect": ""}
        if source not in urls:
            continue
        ending = found[urls[source]]
        if name == "URL_REQUEST_REDIRECTED":
            ending |= {"redirect": text_of(params.get("location")), "error": 0}
        elif name == "HTTP_TRANSACTION_READ_RESPONSE_HEADERS" and ending["error"] is None:
            ending["error"] = 0
        if isinstance(params.get("net_error"), int):
            ending["error"] = params["net_error"]
    return found


def _add(url: str, ending: dict[str, Any], errors: dict[int, str], notes: Notes) -> None:
    number = ending["error"]
    leads_to = url_of(ending["redirect"]).hostname or ""
    name = "" if number == 0 else errors.get(number, f"net_error {number}")
    if number is None or name == _PENDING:
        notes.add(ToolVerdict(url, "inconclusive", words="the request has no end"))
    elif not name:
        page = ("http.page",) if leads_to in BLOCK_PAGE_HOSTS else ()
        words = f"leads to {leads_to}" if leads_to else "loaded"
        notes.add(ToolVerdict(url, "blocked" if page else "free", page, words))
    elif name.startswith("ERR_CERT_"):
        notes.add(ToolVerdict(url, "blocked", ("tls.mitm", "dns.poison"), name))
    elif name in _ERRORS:
        step, kind = _ERRORS[name]
        own = "tls" if url_of(url).scheme == "https" else "http"
        found = mechanisms(step or own, kind) or ("dns.error", "dns.drop")
        notes.add(ToolVerdict(url, "blocked", found, name))
    else:
        if name not in _OWN:
            notes.complain("unknown failure", url, name)
        notes.add(ToolVerdict(url, "inconclusive", words=name))


NETLOG = Adapter(
    name="netlog",
    title="Chromium's NetLog",
    read=read,
    observes=EVERYTHING
    - {"throttle", "freeze", "conncount", "vpn.drop", "quic.drop", "quic.sni.drop", "dns.poison"},
)
