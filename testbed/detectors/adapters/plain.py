"""JSON or CSV of any detector that writes these fields: the simplest way to be scored.

`target` and `verdict` ("blocked", "free" or "inconclusive"; also true or false, in JSON null) are needed;
`mechanism` (a canonical label, or several with | between them), `layer`, `words`, `vantage`, and the numbers
`rate`, `received`, `hop`, `residual` are optional. JSON is one object, a list, or one object on each line;
CSV has a first line with these names. A record that is there twice is a repeat.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.detectors.reading import Notes, items_of, json_lines, text_of
from testbed.detectors.verdicts import LAYERS, Said, ToolReport, ToolVerdict
from testbed.errors import nearest
from testbed.foreignjson import json_value
from testbed.scenario.labels import LABELS

_NUMBERS: Final = ("rate", "received", "hop", "residual")
_FIELDS: Final = {"target", "verdict", "mechanism", "layer", "words", "vantage", *_NUMBERS}
_SAID: Final[dict[object, Said]] = {
    "blocked": "blocked", "free": "free", "inconclusive": "inconclusive",
    True: "blocked", False: "free", None: "inconclusive", "true": "blocked", "false": "free",
}  # fmt: skip


def read(output: ToolOutput) -> ToolReport:
    """A verdict for each record."""
    notes = Notes()
    text = output.text.removeprefix("\ufeff")  # which spreadsheets write before it
    head = _head(text)
    for place, record in _json(text, notes) if head is None else _csv(text, head, notes):
        _add(place, record, output, notes)
    return notes.report()


def _head(text: str) -> int | None:
    """The number of the line with the names of a table's columns, from 0; None if there is no table."""
    lines = enumerate(text.splitlines())
    return next((n for n, line in lines if "verdict" in [name.strip() for name in line.split(",")]), None)


def _json(text: str, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        whole = json_value(text)
    except ValueError:
        yield from json_lines(text, notes, repeats=True)
        return
    records = items_of(whole) if isinstance(whole, list) else [whole]
    for number, record in enumerate(records, 1):
        if isinstance(record, dict):
            yield f"record {number}", record
        else:
            notes.complain("not a result", f"record {number}", repr(record))


def _csv(text: str, begins: int, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines[:begins], 1):  # a program's greeting
        if line.strip():
            notes.complain("not a result", f"line {number}", line.strip())
    rows = csv.reader(io.StringIO("".join(lines[begins:])))
    head = [name.strip() for name in next(_readable(rows, notes), [])]
    for row in _readable(rows, notes):
        place = f"line {begins + rows.line_num}"
        if not row:
            continue
        if len(row) != len(head):
            notes.complain("truncated line", place, f"{len(row)} fields, the table has {len(head)}")
        else:
            yield place, {name: value for name, value in zip(head, row, strict=True) if value != ""}


def _readable(rows: Any, notes: Notes) -> Iterator[list[str]]:
    """The rows up to one that is no CSV: with a quote that never ends, or a field of 128 KiB."""
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            notes.complain("not a result", f"line {rows.line_num}", str(error))
            return


def _add(place: str, record: Mapping[str, Any], output: ToolOutput, notes: Notes) -> None:
    notes.unknown_fields(place, record, _FIELDS)
    target = text_of(record.get("target")) or output.target
    word = record.get("verdict", "")
    word = word.strip().lower() if isinstance(word, str) else word
    if isinstance(word, list | dict | int | float) and not isinstance(word, bool):
        word = repr(word)
    if not target or word not in _SAID:
        what = f"verdict {word!r}" if target else "no target"
        notes.complain("not a result", place, f"{what}; a verdict is blocked, free or inconclusive")
        return
    named = [label.strip() for label in text_of(record.get("mechanism")).split("|") if label.strip()]
    for label in named:
        if label not in LABELS:
            notes.complain("unknown failure", place, f"mechanism {label!r}; {nearest(label, LABELS)}")
    layer = text_of(record.get("layer"))
    if layer and layer not in LAYERS:
        notes.complain("unknown failure", place, f"layer {layer!r}; {nearest(layer, LAYERS)}")
    notes.add(
        ToolVerdict(
            target,
            _SAID[word],
            tuple(label for label in named if label in LABELS and label != "ok"),
            text_of(record.get("words")),
            layer if layer in LAYERS else "",
            dict(_numbers(place, record, notes)),
            text_of(record.get("vantage")),
        )
    )


def _numbers(place: str, record: Mapping[str, Any], notes: Notes) -> Iterator[tuple[str, float]]:
    for name in _NUMBERS:
        if name in record:
            try:
                yield name, float(record[name])
            except (TypeError, ValueError):
                notes.complain("unknown failure", place, f"{name}: {record[name]!r} is no number")


PLAIN = Adapter(
    name="plain",
    title="JSON or CSV with target and verdict",
    read=read,
    schemes=frozenset({"http", "https", "h3", "dns", "put+http", "put+https"}),
)
