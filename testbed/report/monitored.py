"""The files of a monitor, and what is printed of it."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import StringIO
from typing import Any

from testbed.errors import UnsupportedError, printable
from testbed.monitor.incidents import Incident
from testbed.monitor.journal import Journal
from testbed.monitor.levels import connectivity
from testbed.monitor.observatory import Watched
from testbed.monitor.sample import MEANINGS
from testbed.report.historyplot import picture
from testbed.report.paths import typed

_SHOWN = 8  # sentences of one kind that are printed; our choice, summary.json has all
_STYLE = (
    "body{font:15px/1.45 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}svg{width:100%;height:auto}"
    "table{border-collapse:collapse}td,th{padding:.2em .7em;text-align:left;border-bottom:1px solid #ddd}"
)
_KINDS = {
    "false_alarms": "false alarm",
    "missed": "missed",
    "mistaken": "mistaken",
    "hung": "the detector hung",
    "late": "late",
}


def write_files(watched: Watched) -> list[str]:
    """Write summary, tables and pictures into the monitor's folder; what is missing there, in words."""
    journal = Journal(watched.folder)
    lines = [json.dumps(one.to_json(), ensure_ascii=False) + "\n" for one in watched.incidents]
    journal.write("incidents.jsonl", "".join(lines))
    samples = ({**one.to_json(), "acted": " ".join(one.acted)} for one in watched.samples)
    journal.write("samples.csv", _table(samples))
    journal.write(
        "incidents.csv",
        _table({**one.to_json(), "labels": " ".join(one.labels)} for one in watched.incidents),
    )
    points = connectivity(watched.samples)
    journal.write(
        "connectivity.csv",
        _table({"time": p.time, "vantage": p.vantage, "share": f"{p.share:.4f}"} for p in points),
    )
    journal.write("summary.json", json.dumps(watched.summary(), ensure_ascii=False, indent=1) + "\n")
    try:
        drawn = picture(watched, watched.story.scenario.title) if watched.samples else ""
    except UnsupportedError as missing:
        drawn, said = "", [str(missing)]
    else:
        said = []
    if drawn:
        journal.write("history.svg", drawn)
    journal.write("history.html", page(watched, drawn))
    return said


def show_watched(watched: Watched, missing: Iterable[str], *, as_json: bool = False) -> None:
    """What came of it, on stdout; or the summary as JSON."""
    if as_json:
        print(json.dumps(watched.summary(), ensure_ascii=False, indent=1))
        return
    for line in _said(watched):
        print(printable(line))
    for line in missing:
        print(printable(f"note: {line}"))
    print(printable(f"{verdict_of(watched)}   {typed(watched.folder)}"))


def verdict_of(watched: Watched) -> str:
    """The result in one line."""
    if watched.interrupted:
        return (
            f"interrupted after {watched.done} of {watched.planned} instants; "
            f"go on with: testbed monitor --resume {typed(watched.folder)}"
        )
    if watched.problems:
        more = f" (and {len(watched.problems) - 1} more)" if len(watched.problems) > 1 else ""
        return f"INVALID: {watched.problems[0]}{more}"
    compared = watched.comparison
    word = "as expected" if compared.fine else "NOT as expected"
    return (
        f"{word}: {compared.agreeing} of {compared.judged} judged samples agree, "
        f"{len(watched.samples)} in all, {len(watched.incidents)} incidents"
    )


def _said(watched: Watched) -> list[str]:
    lines = [f"note: {note}" for note in watched.notes]
    compared = watched.comparison.to_json()
    for kind, word in _KINDS.items():
        texts: Sequence[str] = compared[kind]
        lines += [f"{word}: {text}" for text in texts[:_SHOWN]]
        if len(texts) > _SHOWN:
            lines.append(f"{word}: and {len(texts) - _SHOWN} more, in summary.json")
    if errors := watched.summary()["onset_error"]:
        number = len(watched.comparison.onsets)
        lines.append(
            f"{number} onsets, seen {_duration(errors['median'])} after the truth (median), "
            f"{_duration(errors['largest'])} at most; the interval is {_duration(watched.settings.every)}"
        )
    return lines


def _duration(seconds: float) -> str:
    hours = seconds / 3600
    return (
        f"{hours / 24:.3g} d"
        if hours >= 48
        else f"{hours:.3g} h"
        if hours >= 1
        else f"{seconds / 60:.3g} min"
    )


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    """As CSV, with a header; empty without rows."""
    out, writer = StringIO(), None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    return out.getvalue()


def page(watched: Watched, drawn: str) -> str:
    """A page of HTML that loads nothing: the picture, every incident, what was compared."""
    scenario = watched.story.scenario
    rows = "\n".join(_row(one) for one in watched.incidents)
    phases = "\n".join(
        f"<li><b>{escape(span.phase)}</b> {span.start:%Y-%m-%d %H:%M} – {span.end:%Y-%m-%d %H:%M}: "
        f"{escape(scenario.phases[span.phase].title)}</li>"
        for span in watched.story.spans
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(scenario.title)}</title>
<style>{_STYLE}</style></head>
<body><h1>{escape(scenario.title)}</h1>
<p>Measured in an emulated network every {_duration(watched.settings.every)} of the scenario's time, by
{escape(watched.settings.detector or "the built-in probe")}. {escape(verdict_of(watched))}.</p>
{drawn or "<p>There is no picture: matplotlib was not installed.</p>"}
<h2>Phases</h2><ul>{phases}</ul>
<h2>Incidents</h2>
<table><tr><th>what</th><th>operator</th><th>target</th><th>began</th><th>ended</th><th>labels</th></tr>
{rows}</table>
</body></html>
"""


def _row(one: Incident) -> str:
    began = f"{one.last_before} – {one.first}" if one.last_before else f"before {one.first}"
    ended = f"{one.last} – {one.first_after}" if one.first_after else f"after {one.last}"
    cells = (
        MEANINGS[one.kind],
        one.vantage or "all",
        one.target or "all",
        began,
        ended,
        ", ".join(one.labels),
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
