"""`testbed probe --json`: one object for each target, with the verdict, its numbers and every finding."""

from collections.abc import Mapping
from typing import Any, Final

from testbed.detectors.adapter import EVERYTHING, Adapter, ToolOutput
from testbed.detectors.reading import Notes, json_lines, text_of
from testbed.detectors.verdicts import Said, ToolReport, ToolVerdict
from testbed.scenario.labels import LABELS

_SAID: Final[Mapping[object, Said]] = {
    "blocked": "blocked", "free": "free", "inconclusive": "inconclusive",
}  # fmt: skip
_NUMBERS: Final = ("rate", "received", "hop", "residual", "connections")
_FIELDS: Final = {"target", "verdict", "mechanism", "findings", *_NUMBERS}


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each object."""
    notes = Notes()
    for place, record in json_lines(output.text, notes):
        notes.unknown_fields(place, record, _FIELDS)
        if record.get("verdict") not in _SAID:
            notes.complain("not a result", place, f"verdict {record.get('verdict')!r}")
        else:
            notes.add(_verdict(record))
    return notes.report()


def _verdict(record: Mapping[str, Any]) -> ToolVerdict:
    named = tuple(one for one in text_of(record.get("mechanism")).split("|") if one in LABELS)
    numbers = {name: float(value) for name in _NUMBERS if isinstance(value := record.get(name), int | float)}
    said = _SAID[record["verdict"]]
    return ToolVerdict(text_of(record.get("target")), said, named, said, parameters=numbers)


FIELD = Adapter(
    name="field",
    title="the field instrument, `testbed probe --json`",
    read=read,
    # One vantage alone: it has nobody to compare a page or a certificate's issuer with, and opens no tunnel.
    observes=EVERYTHING - {"vpn.drop"},
    schemes=frozenset({"http", "https", "h2", "h3", "put+http", "put+https"}),
    command=("testbed", "probe", "--json", "--with", "dns,web,hop", "{target}"),
    client="probe",
)
