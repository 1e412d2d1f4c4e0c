"""The matrix for people: a table of endings on a terminal, CSV and Markdown."""

import csv
import sys
from collections.abc import Sequence
from io import StringIO
from typing import IO, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.errors import printable
from testbed.matrix.cell import Ending, MatrixCell, MatrixTable
from testbed.matrix.search import Found
from testbed.report.cipage import markdown_text

_STYLES: Final = {
    Ending.THROUGH: "black on #9fd8a4",
    Ending.UNSEEN: "black on #cfe8d0",
    Ending.BLOCKED: "white on #b5403a",
    Ending.DEGRADED: "black on #f0c75e",
    Ending.BROKEN: "white on #6b6b6b",
    Ending.INVALID: "black on #c9c9c9",
    Ending.SKIPPED: "dim",
}
_SHOWN: Final = 10  # lines of what a search found
_PLAIN: Final = (
    Ending.THROUGH,
    Ending.UNSEEN,
    Ending.BLOCKED,
    Ending.DEGRADED,
)
_OTHERS: Final = "white on #7a4fa3"  # a crash, a hang, another port
_FIELDS: Final = (
    *("tool", "box", "ending", "hits", "tries", "low", "high"),
    *("rule", "packet", "reason", "speed", "free_speed"),
)


def show_matrix(table: MatrixTable, *, file: IO[str] | None = None) -> None:
    """Print the table, in colour on a terminal, and below it what was not tried."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else 10_000)
    console.print(_grid(table))
    for line in legend(table):
        console.print(Text(printable(line), style="dim"), soft_wrap=True)


def show_found(results: Sequence[Found], *, file: IO[str] | None = None) -> None:
    """Print what a search found against each box: the cheapest first, and what was not tried."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else 10_000)
    for found in results:
        head = f"{found.box}: {len(found.ranked)} of {found.of} candidates work"
        console.print(Text(head, style="bold"))
        grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for column in ("cost", "worked", "live", ""):
            grid.add_column(column, no_wrap=True)
        for one in found.ranked[:_SHOWN]:
            live = found.confirmed.get(one.candidate, "")
            grid.add_row(f"{one.cost:g}", f"{one.worked} of {one.tried}", str(live), Text(str(one.candidate)))
        console.print(grid)
        more = len(found.ranked) - _SHOWN
        for line in (*found.left_out, *([f"{more} more work and cost more: see --json"] if more > 0 else [])):
            console.print(Text(line, style="dim"), soft_wrap=True)


def matrix_csv(table: MatrixTable) -> str:
    """A line for each cell."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_FIELDS)
    for cell in table.cells:
        share, one = cell.share, cell.decided
        low, high = share.interval
        speeds = ["" if value is None else round(value) for value in (one.speed, one.free_speed)]
        counts = [share.hits, share.of, round(low, 4), round(high, 4)]
        writer.writerow(
            [cell.tool, cell.box, cell.ending, *counts, one.rule, one.packet, one.reason, *speeds]
        )
    return out.getvalue()


def matrix_markdown(table: MatrixTable) -> str:
    """A table of Markdown."""
    rows = [["", *table.boxes], ["---"] * (len(table.boxes) + 1)]
    for tool in table.tools:
        cells = [table.at(tool, box) for box in table.boxes]
        rows.append(
            [markdown_text(tool).replace("|", "\\|"), *(short(cell) if cell else "" for cell in cells)]
        )
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = [f"\n{markdown_text(line)}" for line in legend(table)]
    return "\n".join([*lines, *notes]) + "\n"


def short(cell: MatrixCell) -> str:
    """As in the table: "blocked", with the count where tries differ."""
    share = cell.share
    return cell.ending if share.hits == share.of else f"{cell.ending} {share.hits}/{share.of}"


def legend(table: MatrixTable) -> list[str]:
    """Shares with their intervals where tries differ; reasons; what was left out."""
    lines = [
        f"{cell.tool} × {cell.box}: {cell.ending} {cell.share}"
        for cell in table.cells
        if cell.share.hits != cell.share.of
    ]
    reasons: dict[str, None] = {}
    for cell in table.cells:
        if cell.decided.reason and cell.ending not in _PLAIN:
            reasons[f"{cell.tool}: {cell.ending}: {cell.decided.reason}"] = None
    return [*lines, *reasons, *table.left_out]


def _grid(table: MatrixTable) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("", no_wrap=True)
    for box in table.boxes:
        grid.add_column(box, no_wrap=True)
    for tool in table.tools:
        cells = [table.at(tool, box) for box in table.boxes]
        grid.add_row(
            Text(printable(tool)),
            *(
                Text(short(cell), style=_STYLES.get(cell.ending, _OTHERS)) if cell else Text()
                for cell in cells
            ),
        )
    return grid
