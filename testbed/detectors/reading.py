"""What adapters share: reading records line by line, counting what is not understood."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from testbed.detectors.verdicts import Complaint, ComplaintKind, ToolReport, ToolVerdict
from testbed.foreignjson import json_value

_SHOWN = 80  # characters of a line or a value in a complaint


class Notes:
    """Collects the verdicts and complaints of one output."""

    def __init__(self) -> None:
        self._verdicts: list[ToolVerdict] = []
        self._complaints: dict[tuple[str, str], Complaint] = {}

    def add(self, verdict: ToolVerdict) -> None:
        """One more verdict."""
        self._verdicts.append(verdict)

    def complain(self, kind: ComplaintKind, place: str, message: str) -> None:
        """One complaint; an unknown field or failure is named once, where it was met first."""
        shown = message if len(message) <= _SHOWN else message[: _SHOWN - 1] + "…"
        key = (kind, shown if kind in ("unknown field", "unknown failure") else f"{place} {shown}")
        self._complaints.setdefault(key, Complaint(kind, place, shown))

    def unknown_fields(self, place: str, record: Mapping[str, Any], known: Collection[str]) -> None:
        """Complain of each field that is not `known`; fields that begin with x_ are extensions."""
        for name in record:
            if name not in known and not name.startswith("x_"):
                self.complain("unknown field", place, repr(name))

    def report(self) -> ToolReport:
        """All of it."""
        if not self._verdicts and not self._complaints:
            self.complain("empty", "", "there is no result in the output")
        return ToolReport(tuple(self._verdicts), tuple(self._complaints.values()))


def numbered(text: str, notes: Notes, *, repeats: bool = False) -> Iterator[tuple[str, str]]:
    """The lines that are not blank as ("line 3", line).

    Each once, unless `repeats`: a record that has its time comes twice by mistake alone.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        first = seen.setdefault(line, number)
        if first != number and not repeats:
            notes.complain("duplicate", f"line {number}", f"the same as line {first}")
        else:
            yield f"line {number}", line


def json_lines(text: str, notes: Notes, *, repeats: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of a file with one on each line; `repeats`: the same line may be there again."""
    for place, line in numbered(text, notes, repeats=repeats):
        try:
            record = json_value(line)
        except ValueError:
            notes.complain("truncated line", place, line)
            continue
        if isinstance(record, dict):
            yield place, record
        else:
            notes.complain("not a result", place, line)


def json_document(text: str, notes: Notes) -> dict[str, Any] | None:
    """The JSON object that the whole text is, None if it is none."""
    if not text.strip():
        return None
    try:
        found = json_value(text)
    except ValueError as error:
        notes.complain("truncated line", f"line {getattr(error, 'lineno', 1)}", str(error))
        return None
    if isinstance(found, dict):
        return found
    notes.complain("not a result", "", f"a JSON {type(found).__name__}, not an object")
    return None


def text_of(value: object) -> str:
    """The value if it is text, else ""."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> int | None:
    """The value if it is a whole number or the text of one, else None."""
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def url_of(value: object) -> SplitResult:
    """The parts of a URL, those of "" if it is none."""
    try:
        return urlsplit(text_of(value))
    except ValueError:
        return urlsplit("")


def items_of(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def object_of(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}
