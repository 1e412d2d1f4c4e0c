"""Which tool got through which box, which method through which operator, and what decided it."""

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
from testbed.htmlreport.facts import MatrixFacts, ReportFacts, RunFacts, Values
from testbed.matrix.cell import Ending
from testbed.truth.wayjudge import WayRow, ways_verdict

_TONES: Mapping[str, Tone] = {
    Ending.THROUGH: "good", Ending.UNSEEN: "good", Ending.BLOCKED: "bad", Ending.SKIPPED: "void",
    Ending.INVALID: "void",
}  # fmt: skip

_WAY_TONES: Mapping[str, Tone] = {"ok": "good", "skipped": "void"}


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
    for run in facts.runs:
        if run.ways:
            blocks += [Subheading(f"Methods of circumvention in {run.name}"), *_ways(run)]
    return PageSection("strategies", "Tools against boxes", tuple(blocks)) if blocks else None


def _ways(run: RunFacts) -> list[PageBlock]:
    """A matrix by vantage, then each method beside the direct way and the same tool without a filter."""
    vantages = tuple(dict.fromkeys(way.vantage for way in run.ways))
    cells = {(_method(way), way.vantage): _came_to(way) for way in run.ways}
    methods = dict.fromkeys(_method(way) for way in run.ways)
    none = GridCell("not tried", "void")
    rows: list[GridRow] = [
        (method, *(cells.get((method, vantage), none) for vantage in vantages)) for method in methods
    ]
    head = (
        "method",
        "from",
        "target",
        "direct",
        "by it",
        "unfiltered",
        "should be",
        "as it should",
        "what decided",
    )
    each: list[GridRow] = [
        (
            _method(way), way.vantage, way.target, way.direct, way.observed, way.free,
            f"fails by {way.fails_by}" if way.fails_by else "ok",
            GridCell(way.verdict, _WAY_TONES.get(way.verdict, "bad")),
            _reason(way),
        )
        for way in run.ways
    ]  # fmt: skip
    return [
        Statement(f"{ways_verdict(run.ways)}."),
        DataGrid("Methods by row, vantages by column", ("method", *vantages), tuple(rows)),
        Folded("each method beside the direct way", (DataGrid("Methods", head, tuple(each)),)),
    ]


def _method(way: WayRow) -> str:
    return way.name if way.recipe == way.name else f"{way.name} ({way.recipe})"


def _came_to(way: WayRow) -> GridCell:
    if way.verdict == "skipped":
        return GridCell("skipped", "void")
    return GridCell(way.observed, "good" if way.observed == "ok" else "bad", f"direct: {way.direct}")


def _reason(way: WayRow) -> str:
    return "; ".join(
        filter(None, (", ".join(way.acted), way.packet, way.passed, way.why, *way.tool.misdeeds))
    )


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
