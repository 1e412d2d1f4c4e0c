"""A page of a measured matrix for people who did not measure it: a picture, a table, and what decided."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

from testbed.errors import UnsupportedError
from testbed.matrix.cell import Ending

_Cell = Mapping[str, Any]
_COLOURS: Final = {  # Okabe and Ito's, which colour-blind readers can tell apart; the word stands in the cell
    Ending.THROUGH: "#009e73",
    Ending.UNSEEN: "#8fd3bf",
    Ending.DEGRADED: "#e69f00",
    Ending.BLOCKED: "#d55e00",
    Ending.INVALID: "#e8e8e8",
    Ending.SKIPPED: "#f7f7f7",
}
_OTHER: Final = "#cc79a7"  # the tool itself failed
_DARK: Final = (Ending.THROUGH, Ending.BLOCKED)
_GOOD: Final = (Ending.THROUGH, Ending.UNSEEN)
_VOID: Final = (Ending.SKIPPED, Ending.INVALID)
_NO_PLOTTING: Final = "no picture, because matplotlib is not installed: pip install 'runet-testbed[plots]'"


def matrix_picture(found: Mapping[str, Any]) -> str:
    """A heat map as SVG of what `testbed matrix --json` printed. UnsupportedError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as error:
        raise UnsupportedError(_NO_PLOTTING) from error
    tools, boxes, cells = _sorted(found)
    with rc_context({"svg.hashsalt": "matrix", "svg.fonttype": "none"}):
        figure = Figure(figsize=(2.0 + 0.85 * len(boxes), 0.7 + 0.3 * len(tools)), layout="constrained")
        axes = figure.subplots()
        for y, tool in enumerate(tools):
            for x, box in enumerate(boxes):
                ending = Ending(cells[tool, box]["ending"])
                axes.add_patch(Rectangle((x, y), 1, 1, facecolor=_COLOURS.get(ending, _OTHER), edgecolor="w"))
                colour = "white" if ending in _DARK else "black"
                axes.text(x + 0.5, y + 0.5, ending, ha="center", va="center", size=7, color=colour)
        axes.set(xlim=(0, len(boxes)), ylim=(len(tools), 0))
        axes.set_xticks([x + 0.5 for x in range(len(boxes))], boxes, size=8)
        axes.set_yticks([y + 0.5 for y in range(len(tools))], tools, size=8)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def matrix_page(found: Mapping[str, Any], picture: str, command: str) -> str:
    """The page in Markdown. `picture`: its file, beside the page; `command`: what measures it again."""
    tools, boxes, cells = _sorted(found)
    endings = [Ending(cell["ending"]) for cell in cells.values()]
    good = sum(ending in _GOOD for ending in endings)
    void = sum(ending in _VOID for ending in endings)
    table = [
        f"| | {' | '.join(boxes)} |",
        f"|{'---|' * (len(boxes) + 1)}",
        *(f"| {tool} | {' | '.join(_short(cells[tool, box]) for box in boxes)} |" for tool in tools),
    ]
    return _PAGE.format(
        counted=len(cells), good=good, bad=len(cells) - good - void, void=void, picture=picture,
        table="\n".join(table), decided="\n".join(_decided(tools, boxes, cells)), command=command,
    )  # fmt: skip


_PAGE: Final = """# The shipped recipes against every profile

Each row is a [circumvention tool](circumvention.md#recipes), each column a [profile](mechanisms/README.md):
how the boxes of an era behave, from those of the 2010s (`leg-`) to 2026. `t24-T` and `t24-R` are the two
kinds of node that a profile has where its nodes differ. Each box blocks one name over TLS, HTTP and QUIC.
The tool has to fetch 60,000 bytes from it, while the direct connection is blocked in the same world; and
it must work in the same world from where nothing filters. [What the words mean](matrix.md#live).

Of {counted} cells, {good} got through, {bad} did not, and {void} say nothing: a program is missing, or
nothing is blocked there.

![The same as the table below, in colours]({picture})

{table}

## What decided

| Cell | Came to | Rule | Packet | Why |
|---|---|---|---|---|
{decided}

A place in a stream is counted from its first byte: `378 bytes at 139` is the segment that begins
with byte 139.

## Measure it again

```
$ {command}
```

It writes this page, its picture and [the cells as JSON](matrix-recipes.json), with which
`testbed matrix … --expect docs/matrix-recipes.json` names the cells that have turned.
"""


def _sorted(found: Mapping[str, Any]) -> tuple[list[str], list[str], dict[tuple[str, str], _Cell]]:
    cells = {(cell["tool"], cell["box"]): cell for cell in found["cells"]}
    return list(dict.fromkeys(tool for tool, _ in cells)), list(dict.fromkeys(box for _, box in cells)), cells


def _short(cell: _Cell) -> str:
    share = cell["share"]
    return str(cell["ending"]) + ("" if share["hits"] == share["of"] else f" {share['hits']}/{share['of']}")


def _decided(tools: Sequence[str], boxes: Sequence[str], cells: Mapping[tuple[str, str], _Cell]) -> list[str]:
    """A line for each tool and each way in which it did not simply get through, with its boxes."""
    found: dict[tuple[str, ...], list[str]] = {}
    for tool in tools:
        for box in boxes:
            cell = cells[tool, box]
            if Ending(cell["ending"]) not in _GOOD:
                key = (tool, *(str(cell[name]) for name in ("ending", "rule", "packet", "reason")))
                found.setdefault(key, []).append(box)
    return [
        f"| {tool} × {', '.join(where)} | {ending} | {f'`{rule}`' if rule else ''} | {packet} | "
        f"{reason.replace('|', '/')} |"
        for (tool, ending, rule, packet, reason), where in found.items()
    ]
