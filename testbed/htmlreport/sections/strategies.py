"""Which tool got through which box, and what decided it."""

from collections.abc import Mapping

from testbed.htmlreport.blocks import (
    Bullets,
    DataGrid,
    Folded,
    GridCell,
    GridRow,
    PageBlock,
    PageSection,
    Statement,
    Subheading,
    Tone,
    counted,
)
from testbed.htmlreport.facts import MatrixFacts, ReportFacts, Values
from testbed.matrix.cell import Ending

_TONES: Mapping[str, Tone] = {
    Ending.THROUGH: "good", Ending.UNSEEN: "good", Ending.BLOCKED: "bad", Ending.SKIPPED: "void",
    Ending.INVALID: "void",
}  # fmt: skip


def section(facts: ReportFacts) -> PageSection | None:
    """A table for each matrix, and one of what decided."""
    blocks: list[PageBlock] = []
    for one in facts.matrices:
        how = "by the pure core" if one.how == "core" else "live, in worlds"
        blocks += [
            Subheading(f"{counted(len(one.tools), 'tool')} against {counted(len(one.boxes), 'box', 'boxes')}")
        ]
        blocks += [Statement(f"Tried {how}."), _matrix(one)]
        if decided := _decided(one):
            blocks.append(Folded(f"what decided {counted(len(decided.rows), 'cell')}", (decided,)))
        if one.left_out:
            blocks.append(Bullets(one.left_out, "void"))
    return PageSection("strategies", "Tools against boxes", tuple(blocks)) if blocks else None


def _matrix(one: MatrixFacts) -> DataGrid:
    rows: list[GridRow] = [
        (tool, *(_cell(one.cells.get((tool, box))) for box in one.boxes)) for tool in one.tools
    ]
    return DataGrid("Tools by row, boxes by column", ("tool", *one.boxes), tuple(rows))


def _cell(cell: Values | None) -> GridCell:
    if cell is None:
        return GridCell("not tried", "void")
    ending = str(cell["ending"])
    share = cell.get("share")
    hits, of = (share.get("hits"), share.get("of")) if isinstance(share, dict) else (None, None)
    return GridCell(ending, _TONES.get(ending, "warn"), "" if hits == of else f"{hits} of {of}")


def _decided(one: MatrixFacts) -> DataGrid | None:
    rows: list[GridRow] = [
        (
            tool, box, GridCell(str(cell["ending"]), _TONES.get(str(cell["ending"]), "warn")),
            str(cell.get("rule") or ""), str(cell.get("packet") or ""), str(cell.get("reason") or ""),
        )
        for (tool, box), cell in one.cells.items()
        if cell["ending"] not in (Ending.THROUGH, Ending.UNSEEN)
    ]  # fmt: skip
    if not rows:
        return None
    return DataGrid("What decided", ("tool", "box", "came to", "rule", "packet", "why"), tuple(rows))
