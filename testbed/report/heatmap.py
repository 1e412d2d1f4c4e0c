"""The matrix as a page of HTML that works offline: a heat map, and what decided each cell below it."""

from collections import Counter
from html import escape
from typing import Final

from testbed.errors import printable
from testbed.matrix.cell import Ending, MatrixCell, MatrixTable
from testbed.report.matrixtable import legend, short

_COLOURS: Final = {  # background, letters; with a contrast of at least 4.5
    Ending.THROUGH: ("#9fd8a4", "#000"),
    Ending.UNSEEN: ("#cfe8d0", "#000"),
    Ending.BLOCKED: ("#b5403a", "#fff"),
    Ending.DEGRADED: ("#f0c75e", "#000"),
    Ending.BROKEN: ("#6b6b6b", "#fff"),
    Ending.INVALID: ("#c9c9c9", "#000"),
    Ending.SKIPPED: ("#f4f4f4", "#444"),
}
_OTHERS: Final = ("#7a4fa3", "#fff")  # a crash, a hang, another port
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Tools against boxes</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 1.5rem auto; max-width: 90rem; padding: 0 1rem }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; margin: 0 0 1.5rem }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap }}
th, td {{ border: 1px solid #8888; padding: .2rem .5rem; text-align: left; vertical-align: top }}
{styles}
</style>
</head>
<body>
<main>
<h1>Tools against boxes</h1>
<p>{summary}</p>
<div class="wide" role="region" aria-label="The matrix" tabindex="0">
<table>
<caption>What became of each tool at each box</caption>
<thead><tr><th scope="col">Tool</th>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<h2>What decided each cell</h2>
<div class="wide" role="region" aria-label="What decided each cell" tabindex="0">
<table>
<caption>Packets are counted among the client's own; intervals are Wilson's, of 95 %</caption>
<thead><tr>{columns}</tr></thead>
<tbody>
{details}
</tbody>
</table>
</div>
{notes}</main>
</body>
</html>
"""
_COLUMNS: Final = ("Tool", "Box", "Ending", "Tries", "Packet", "Rule", "Reason")


def matrix_html(table: MatrixTable) -> str:
    """The page."""
    counted = Counter(cell.ending for cell in table.cells)
    counts = ", ".join(f"{counted[ending]} {ending}" for ending in Ending if counted[ending])
    notes = "".join(f"<li>{_text(line)}</li>\n" for line in legend(table))
    return _PAGE.format(
        styles="\n".join(map(_style, Ending)),
        summary=f"Tools: {len(table.tools)}; boxes: {len(table.boxes)}; cells: {counts}.",
        heads="".join(f'<th scope="col">{_text(box)}</th>' for box in table.boxes),
        rows="\n".join(_row(table, tool) for tool in table.tools),
        columns="".join(f'<th scope="col">{name}</th>' for name in _COLUMNS),
        details="\n".join(map(_details, table.cells)),
        notes=f"<h2>Notes</h2>\n<ul>\n{notes}</ul>\n" if notes else "",
    )


def _row(table: MatrixTable, tool: str) -> str:
    cells = [table.at(tool, box) for box in table.boxes]
    return f'<tr><th scope="row">{_text(tool)}</th>{"".join(map(_shown, cells))}</tr>'


def _shown(cell: MatrixCell | None) -> str:
    return f'<td class="{_class(cell.ending)}">{_text(short(cell))}</td>' if cell else "<td></td>"


def _details(cell: MatrixCell) -> str:
    one = cell.decided
    parts = (cell.box, cell.ending, str(cell.share), one.packet, one.rule, one.reason)
    shown = "".join(f"<td>{_text(part)}</td>" for part in parts)
    return f'<tr><th scope="row">{_text(cell.tool)}</th>{shown}</tr>'


def _style(ending: Ending) -> str:
    background, letters = _COLOURS.get(ending, _OTHERS)
    return f".{_class(ending)} {{ background: {background}; color: {letters} }}"


def _class(ending: Ending) -> str:
    return ending.name.lower()


def _text(text: str) -> str:
    return escape(printable(text))
