"""dpi-detector's tables (3.2.2): <https://github.com/Runnin4ik/dpi-detector>, tests 3 and 4.

It has no machine-readable output. Its first column has 18 characters: a longer name is cut, and then only a
target that was given can say which it is. It prints the same word for a redirect to the same and to another
domain and colours them; without the colours a redirect says nothing.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.failures import mechanisms
from testbed.detectors.reading import Notes
from testbed.detectors.verdicts import Said, ToolReport, ToolVerdict
from testbed.truth.blockpages import BLOCK_PAGE_HOSTS

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_RED: Final = re.compile(r"\x1b\[(?:\d+;)*31m")
_GREEN: Final = re.compile(r"\x1b\[(?:\d+;)*32m")
_EDGE: Final = re.compile("[│┃]")
_KB: Final = re.compile(r"(\d+(?:\.\d+)?) ?KB")

# Status word -> kind of failure (testbed.detectors.failures), in the step that the column is about
_KINDS: Final = {
    "RST": "reset", "TCP RST": "reset", "ABORT": "closed", "TCP ABORT": "closed", "REFUSED": "refused",
    "TIMEOUT": "timeout", "NET UNREACH": "unreachable", "HOST UNREACH": "unreachable",
    "TLS DPI": "closed", "TLS BLOCK": "garbage", "TLS MITM": "certificate",
}  # fmt: skip
_PAGES: Final = {"BLOCKED": ("http.page",), "ISP PAGE": ("dns.poison",), "DNS FAKE": ("dns.poison",),
                 "LOCAL IP": ("dns.poison",), "DNS FAIL": ("dns.nxdomain", "dns.error", "dns.drop"),
                 "TCP16-20": ("freeze",)}  # fmt: skip
_UNCLEAR: Final = {"—", "ERR", "SSL ERR", "TLS ERR", "SSL CERT", "NO TLS1.3", "OS ERR", "PROTO ERR",
                   "READ ERR", "CONN ERR", "POOL TIMEOUT", "CONNECT", "READ", "WRITE", "POOL"}  # fmt: skip


def read(output: ToolOutput) -> ToolReport:
    """Of a domain's row two verdicts, for http and https; of a row of the 16-20 KB test one, for its ID."""
    notes = Notes()
    for place, raw in _rows(output.text, notes):
        cells = [_ANSI.sub("", cell).strip() for cell in raw]
        if len(cells) == 5 and cells[0] not in ("Домен", ""):
            _domain(place, cells, raw, output, notes)
        elif len(cells) == 6 and cells[0] not in ("ID", "", "Домен"):
            _bulk(place, cells, notes)
    return notes.report()


def _rows(text: str, notes: Notes) -> Iterator[tuple[str, list[str]]]:
    """The tables' rows; a row that is folded over several lines is one."""
    row: list[str] = []
    start = ""
    for number, line in enumerate(text.splitlines(), 1):
        cells = _EDGE.split(line)[1:-1]
        if not cells:
            if row and line.count("│") == 1:
                notes.complain("truncated line", f"line {number}", line)
            if row:
                yield start, row
            row = []
        elif row and not _ANSI.sub("", cells[0]).strip() and len(cells) == len(row):
            row = [f"{above.rstrip()} {below.strip()}" for above, below in zip(row, cells, strict=True)]
        else:
            if row:
                yield start, row
            row, start = cells, f"line {number}"
    if row:
        yield start, row


def _domain(place: str, cells: list[str], raw: list[str], output: ToolOutput, notes: Notes) -> None:
    name = _whole(cells[0], output)
    if not name:
        notes.complain("not a result", place, f"the name {cells[0]!r} is cut")
        return
    details = cells[4]
    notes.add(_one(f"http://{name}/", "http", cells[1], raw[1], "", place, notes))
    tls = [
        _one(f"https://{name}/", "tls", cells[column], raw[column], details, place, notes)
        for column in (3, 2)
    ]
    worst = next((one for one in tls if one.said == "blocked"), None)
    free = next((one for one in tls if one.said == "free"), None)
    notes.add(worst or free or tls[0])


def _whole(name: str, output: ToolOutput) -> str:
    if not name.endswith("…"):
        return name
    given = urlsplit(output.target).hostname or output.target
    return given if given and given.startswith(name.rstrip("…")) else ""


def _one(
    target: str, step: str, word: str, coloured: str, details: str, place: str, notes: Notes
) -> ToolVerdict:
    said, found = _said(step, word, coloured, details, place, notes)
    kb = _KB.search(details) if found == ("freeze",) else None
    parameters = {"received": float(kb[1]) * 1024} if kb else {}
    return ToolVerdict(target, said, found, f"{word} {details}".strip(), parameters=parameters)


def _said(
    step: str, word: str, coloured: str, details: str, place: str, notes: Notes
) -> tuple[Said, tuple[str, ...]]:
    if word == "OK":
        return "free", ()
    if word == "REDIR":
        if any(host in details for host in BLOCK_PAGE_HOSTS) or _RED.search(coloured):
            return "blocked", ("http.page",)
        return ("free", ()) if _GREEN.search(coloured) else ("inconclusive", ())
    if word in _PAGES:
        return "blocked", _PAGES[word]
    if word in _KINDS:
        before = (
            "tcp" if "SYN Drop" in details or word in ("REFUSED", "NET UNREACH", "HOST UNREACH") else step
        )
        return "blocked", mechanisms(before, _KINDS[word])
    if word not in _UNCLEAR:
        notes.complain("unknown failure", place, f"status {word!r}")
    return "inconclusive", ()


def _bulk(place: str, cells: list[str], notes: Notes) -> None:
    word, details = cells[4], cells[5]
    if word == "DETECTED":
        kb = _KB.search(details)
        parameters = {"received": float(kb[1]) * 1024} if kb else {}
        notes.add(ToolVerdict(cells[0], "blocked", ("freeze",), f"{word} {details}", parameters=parameters))
    else:
        notes.add(_one(cells[0], "tls", word, word, details, place, notes))


DPI_DETECTOR = Adapter(
    name="dpi-detector",
    title="dpi-detector, the tables of tests 3 and 4",
    read=read,
    # Certificate verification is off in its TLS test; QUIC and speed are not tested.
    observes=EVERYTHING - {"tls.mitm", "throttle", "conncount", "vpn.drop", "quic.drop", "quic.sni.drop"},
)
