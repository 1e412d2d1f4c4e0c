"""CenTrace's analyzed CSV: <https://github.com/censoredplanet/CenTrace>, pcap_parse.py.

The file of the measurement itself has no conclusion; the analysis of its captures has. Three columns have the
same name, so columns are found by the first of that name.
"""

import csv
import io
from typing import Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.reading import Notes
from testbed.detectors.verdicts import ToolReport, ToolVerdict

_NEEDED: Final = ("IP Address", "Censored Keyword", "Result Code", "Censored T_TTL", "Control Response Type",
                  "Censorship Response Type")  # fmt: skip
_NOTHING: Final = {"NO_OBSERVED_CENSORSHIP"}
_UNCLEAR: Final = {"PROBE_TERMINATED_EARLY", "TERMINATED_EARLY", "UNKNOWN", "ERROR"}
_WHERE: Final = {"CAN_IDENTIFY_SERVER", "CAN_IDENTIFY_POSSIBLE_SERVER"}  # the hop limit says where the box is
_FOUND: Final = {*_WHERE, "TERMINATING_TTL_PAST_CONTROL", "ENDPOINT_FIREWALL", "NAT_FIREWALL",
                 "NO_CORRESPONDING_RESPONSE"}  # fmt: skip
_LABELS: Final = {  # control's response, censored response -> labels
    ("TLS", "RST"): ("tls.sni.rst",), ("TLS", "FIN"): ("tls.sni.fin",), ("TLS", "TIMEOUT"): ("tls.sni.drop",),
    ("TLS", "ACK"): ("tls.sni.drop",), ("TLS", "TLS"): ("tls.mitm",), ("TLS", "HTTP"): ("tls.mitm",),
    ("HTTP", "RST"): ("http.rst",), ("HTTP", "FIN"): ("http.fin",), ("HTTP", "TIMEOUT"): ("http.drop",),
    ("HTTP", "ACK"): ("http.drop",), ("HTTP", "HTTP"): ("http.page",), ("HTTP", "TLS"): ("http.page",),
}  # fmt: skip
# A server that closes or only acknowledges does not take CenTrace's request, and no column says which it was.
_OF_EITHER: Final = {
    "RST": ("tls.sni.rst", "http.rst"), "TIMEOUT": ("tls.sni.drop", "http.drop"), "TLS": ("tls.mitm",),
    "HTTP": ("http.page",),
}  # fmt: skip


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each row."""
    notes = Notes()
    rows = csv.reader(io.StringIO(output.text))
    head = next(rows, [])
    columns = {name: head.index(name) for name in dict.fromkeys(head)}
    if missing := [name for name in _NEEDED if head and name not in columns]:
        notes.complain("not a result", "line 1", f"no column {missing[0]!r}: is it the analyzed output?")
        return notes.report()
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        place = f"line {rows.line_num}"
        if tuple(row) in seen:
            notes.complain("duplicate", place, ",".join(row[:3]))
        elif len(row) != len(head):
            notes.complain("truncated line", place, ",".join(row))
        else:
            _add(place, {name: row[column] for name, column in columns.items()}, notes)
        seen.add(tuple(row))
    return notes.report()


def _add(place: str, row: dict[str, str], notes: Notes) -> None:
    code = row["Result Code"].removeprefix("ResponseCode.")
    control, seen = (row[name].rpartition(".")[2] for name in _NEEDED[-2:])
    scheme = "http" if control == "HTTP" else "https"
    target = f"{scheme}://{row['Censored Keyword']}/"
    words = f"{code}: {seen} where the control got {control}"
    if code in _NOTHING:
        notes.add(ToolVerdict(target, "free", words=words))
    elif code in _FOUND:
        either = _OF_EITHER if control in ("FIN", "ACK") else {}
        found = _LABELS.get((control, seen), either.get(seen, ()))
        if not found:
            notes.complain("unknown failure", place, f"response {seen!r} beside {control!r}")
        hop = row["Censored T_TTL"]
        # A probe with hop limit n passes n - 1 routers. A box that copies the limit seems to be elsewhere.
        parameters = {"hop": float(hop) - 1} if code in _WHERE and hop.isdecimal() else {}
        notes.add(ToolVerdict(target, "blocked", found, words, parameters=parameters))
    else:
        if code not in _UNCLEAR:
            notes.complain("unknown failure", place, f"result code {code!r}")
        notes.add(ToolVerdict(target, "inconclusive", words=words))


CENTRACE = Adapter(
    name="centrace",
    title="CenTrace, the analyzed CSV",
    read=read,
    observes=frozenset(label for labels in (*_LABELS.values(), *_OF_EITHER.values()) for label in labels),
)
