"""CenDPI's JSON lines: <https://github.com/censoredplanet/CenDPI>, internal/netcap/netcap.go.

A line has every packet of one connection and no conclusion. The test domain's connection is compared with the
control domain's of the same probe and server. The probe "None[]" is the request as it is and makes the
verdict; the others are ways of sending it that may pass.
"""

from collections import defaultdict
from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.reading import Notes, items_of, json_lines, number_of, object_of, text_of
from testbed.detectors.verdicts import ToolReport, ToolVerdict

_FIELDS: Final = {"Probe", "Domain", "Control", "TargetIP", "TargetPort", "Packets", "Label"}
_PLAIN: Final = "None[]"
_ANSWERED: Final = "answer"
_LABELS: Final = {
    "https": {"RST": "tls.sni.rst", "FIN": "tls.sni.fin", "silence": "tls.sni.drop", "no SYN/ACK": "ip.drop"},
    "http": {"RST": "http.rst", "FIN": "http.fin", "silence": "http.drop", "no SYN/ACK": "ip.drop"},
}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each server and name of the probe None[]."""
    notes = Notes()
    seen: dict[tuple[str, str, int], dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    names: dict[tuple[str, int], str] = {}
    for place, record in json_lines(output.text, notes):
        if not isinstance(record.get("Control"), bool) or "Packets" not in record:
            notes.complain("not a result", place, "no Control, or no Packets")
            continue
        notes.unknown_fields(place, record, _FIELDS)
        server, port = text_of(record.get("TargetIP")), number_of(record.get("TargetPort")) or 0
        seen[text_of(record.get("Probe")), server, port][record["Control"]].append(_ending(record))
        if not record["Control"] and (text_of(record.get("Probe")) == _PLAIN or (server, port) not in names):
            names[server, port] = text_of(record.get("Domain"))  # a probe may change how the name is written
    for (server, port), name in names.items():
        ways = [ends for (probe, *at), ends in seen.items() if at == [server, port] and probe != _PLAIN]
        passed = sum(_ANSWERED in ends[False] for ends in ways)
        words = f"; {passed} of {len(ways)} probes pass" if ways else ""
        _add(name, port, seen.get((_PLAIN, server, port)), words, notes)
    return notes.report()


def _add(name: str, port: int, ends: dict[bool, list[str]] | None, words: str, notes: Notes) -> None:
    scheme = "http" if port == 80 else "https"
    target = f"{scheme}://{name}/"
    if ends is None or not ends[False] or not ends[True]:
        notes.complain("not a result", "", f"{name}: no pair of test and control with probe {_PLAIN}")
        return
    if _ANSWERED not in ends[True]:
        notes.add(ToolVerdict(target, "inconclusive", words=f"the control: {ends[True][0]}{words}"))
    elif _ANSWERED in ends[False]:
        notes.add(ToolVerdict(target, "free", words=f"answered as the control{words}"))
    else:
        end = ends[False][0]
        notes.add(
            ToolVerdict(target, "blocked", (_LABELS[scheme][end],), f"{end}, the control is answered{words}")
        )


def _ending(record: dict[str, Any]) -> str:
    """What came of one connection: an answer, a reset, a close, silence."""
    incoming = [
        object_of(one.get("TCP"))
        for one in map(object_of, items_of(record["Packets"]))
        if one.get("Incoming")
    ]
    flags = [object_of(tcp.get("Flags")) for tcp in incoming]
    if any(one.get("RST") for one in flags):
        return "RST"
    if any(tcp.get("Data") for tcp in incoming):
        return _ANSWERED
    if any(one.get("FIN") for one in flags):
        return "FIN"
    return "silence" if any(one.get("SYN") for one in flags) else "no SYN/ACK"


CENDPI = Adapter(
    name="cendpi",
    title="CenDPI, JSON lines of packets",
    read=read,
    observes=frozenset(label for labels in _LABELS.values() for label in labels.values()),
)
