"""The table of a phase's circumvention: the direct way, the method, the same tool without a filter."""

import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.errors import printable
from testbed.report.table import PLAIN_WIDTH
from testbed.truth.wayjudge import WayRow, ways_verdict

_HEAD = ("method", "from", "target", "direct", "by it", "unfiltered", "should be")
_NONE = "no circumvention in this phase"


def show_ways(rows: Sequence[WayRow], scenario: str, *, file: IO[str] | None = None) -> None:
    """Print the table to `file` (stdout), in colour on a terminal."""
    out = file or sys.stdout
    cells = [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
    needed = sum(widths) + 2 * len(widths) + 3
    console = Console(file=out, highlight=False, width=None if out.isatty() else max(PLAIN_WIDTH, needed))
    marks = "✓✗-" if (console.encoding or "").lower().startswith("utf") else "+x-"
    console.print()
    console.print(Text(f"circumvention of {scenario}" if rows else _NONE, style="bold"))
    if not rows:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", width=1)
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for row, texts in zip(rows, cells, strict=True):
        place = 2 if row.verdict == "skipped" else 0 if row.verdict == "ok" else 1
        style = ("green", "bold red", "dim")[place]
        table.add_row(Text(marks[place], style=style), *(Text(text) for text in texts))
    console.print(table)
    misdeeds = [f"{row.name} from {row.vantage}: {one}" for row in rows for one in row.tool.misdeeds]
    for line in dict.fromkeys([*map(_remark, rows), *misdeeds]):
        if line:
            console.print(Text(printable(line)))
    bad = any(row.verdict not in ("ok", "skipped") for row in rows)
    console.print(Text(ways_verdict(rows), style="bold red" if bad else "bold green"))


def _cells(row: WayRow) -> tuple[str, ...]:
    should = f"fails by {row.fails_by}" if row.fails_by else "ok"
    name = row.name if row.recipe == row.name else f"{row.name} ({row.recipe})"
    if row.verdict == "skipped":
        return name, row.vantage, row.target, "skipped", "", "", should
    return name, row.vantage, row.target, row.direct, row.observed, row.free, should


def _remark(row: WayRow) -> str:
    if row.verdict == "skipped":
        return f"skipped: {row.name}: {row.why}"
    if row.verdict == "by another cause":
        acted = ", ".join(row.acted) or "no rule acted on its flows"
        return f"{row.name} from {row.vantage} fails by another cause: {acted}"
    if row.verdict in ("ok", "differs") and row.acted and not row.fails_by and row.observed != "ok":
        return f"{row.name} from {row.vantage}: {', '.join(row.acted)}"
    return printable(row.why.splitlines()[0]) if row.why and row.verdict != "ok" else ""
