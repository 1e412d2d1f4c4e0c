"""curl, by the JSON object of `-w '%{json}'`: <https://curl.se/docs/manpage.html#-w>.

curl 7.88 reports `time_connect` 0 whenever the transfer failed before TLS was done, so that the times do not
tell a dropped SYN from a dropped ClientHello. `remote_ip` does: it is empty as long as nothing is connected.
"""

import json
from json import JSONDecoder
from typing import Any, Final

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.failures import kind_of, mechanisms
from testbed.detectors.reading import Notes, text_of, url_of
from testbed.detectors.verdicts import Said, ToolReport, ToolVerdict
from testbed.measurement.target import is_address
from testbed.truth.blockpages import BLOCK_PAGE_HOSTS, UNAVAILABLE_FOR_LEGAL_REASONS

# libcurl-errors(3): the exit statuses that are about the network, each with the kind of its failure.
_RESOLVE, _CONNECT, _PARTIAL, _TIMEOUT, _TLS, _EMPTY, _SEND, _RECEIVE = 6, 7, 18, 28, 35, 52, 55, 56
_VERIFY, _HTTP2, _HTTP2_STREAM, _HTTP3, _QUIC = 60, 16, 92, 95, 96
_NETWORK: Final = {
    _RESOLVE, _CONNECT, _PARTIAL, _TIMEOUT, _TLS, _EMPTY, _SEND, _RECEIVE, _VERIFY, _HTTP2, _HTTP2_STREAM,
    _HTTP3, _QUIC,
}  # fmt: skip
_OWN: Final = {1, 2, 3, 4, 22, 23, 26, 27, 41, 43, 47, 77}  # a wrong URL or file, -f, too many redirects


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each object: curl writes one for each URL, without a line end between them."""
    notes, place, number = Notes(), 0, 0
    text, decoder = output.text, JSONDecoder()
    while place < len(text.rstrip()):
        number += 1
        start = text.find("{", place)
        if start < 0:
            notes.complain("not a result", f"object {number}", text[place:])
            break
        if text[place:start].strip():
            notes.complain("not a result", f"object {number}", text[place:start].strip())
        try:
            record, place = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            notes.complain("truncated line", f"object {number}", text[start:])
            break
        _add(record, f"object {number}", output, notes)
    return notes.report()


def _add(record: dict[str, Any], place: str, output: ToolOutput, notes: Notes) -> None:
    status, url = record.get("exitcode"), text_of(record.get("url")) or output.target
    if not isinstance(status, int) or "http_code" not in record:
        notes.complain("not a result", place, "no exitcode and http_code: is it curl's %{json}?")
        return
    words = f"exit status {status}" + (f": {record['errormsg']}" if record.get("errormsg") else "")
    if status == 0:
        found, words = _answer(record, url)
    elif status in _NETWORK:
        found = _failure(record, url, status)
    else:
        if status not in _OWN:
            notes.complain("unknown failure", place, words)
        notes.add(ToolVerdict(url, "inconclusive", words=words))
        return
    speed = record.get("speed_download")
    rate = {"rate": 8.0 * speed} if isinstance(speed, int | float) and speed else {}
    received = record.get("size_download")
    bytes_seen = {"received": float(received)} if status in (_TIMEOUT, _PARTIAL) and received else {}
    said: Said = "blocked" if status or found else "free"
    notes.add(ToolVerdict(url, said, found, words, parameters={**rate, **bytes_seen}))


def _answer(record: dict[str, Any], url: str) -> tuple[tuple[str, ...], str]:
    """Of a page that came: whether it is a known block page, by its status, redirect or address."""
    code, remote = record["http_code"], text_of(record.get("remote_ip"))
    leads_to = url_of(record.get("redirect_url")).hostname or ""
    words = f"HTTP {code}" + (f", leads to {leads_to}" if leads_to else "")
    if code == UNAVAILABLE_FOR_LEGAL_REASONS or leads_to in BLOCK_PAGE_HOSTS:
        return ("http.page",), words
    if remote in BLOCK_PAGE_HOSTS or _nobodys(remote, url):
        return ("dns.poison",), f"{words}, from {remote}"
    return (), words


def _nobodys(address: str, url: str) -> bool:
    from ipaddress import ip_address

    host = url_of(url).hostname or ""
    return is_address(address) and not ip_address(address).is_global and not is_address(host)


def _failure(record: dict[str, Any], url: str, status: int) -> tuple[str, ...]:
    """Labels of a failed transfer, by how far it came."""
    connected, answered = bool(record.get("remote_ip")), bool(record.get("http_code"))
    sealed = url_of(url).scheme == "https"
    kinds = {_RESOLVE: "nxdomain", _TIMEOUT: "timeout", _VERIFY: "certificate", _EMPTY: "closed",
             _PARTIAL: "closed"}  # fmt: skip
    kind = kinds.get(status) or kind_of(text_of(record.get("errormsg"))) or "garbage"
    if status == _RESOLVE:
        return ("dns.nxdomain", "dns.error", "dns.drop")  # curl does not say which
    if status in (_HTTP3, _QUIC):
        return mechanisms("quic", kind) or ("quic.drop",)
    if status == _CONNECT or not connected:
        resolved = bool(record.get("time_namelookup"))
        return mechanisms("tcp", kind) if resolved else ("dns.drop",)
    if status == _VERIFY:
        return ("tls.mitm", "dns.poison")  # another server has answered, wherever it was named
    if answered:
        return mechanisms("answer", kind)
    return mechanisms(("sealed" if record.get("time_appconnect") else "tls") if sealed else "http", kind)


CURL = Adapter(
    name="curl",
    title="curl, -w '%{json}'",
    read=read,
    # What is only slow needs something to compare it with, and curl fetches one URL.
    observes=EVERYTHING - {"throttle", "conncount", "vpn.drop"},
    client="openssl",
    command=("curl", "-4", "-sS", "-o", "/dev/null", "-m", "10", "-w", "%{json}", "{target}"),
)
