"""Vantages by targets: what each subscriber saw, and whether it should have been so."""

from collections.abc import Sequence

from testbed.htmlreport.blocks import (
    DataGrid,
    Folded,
    GridCell,
    GridRow,
    PageBlock,
    PageSection,
    Statement,
    counted,
)
from testbed.htmlreport.facts import MeasuredRow, ReportFacts, RunFacts
from testbed.model import OUTSIDE

FEW = 4  # tables that are open from the beginning; our choice
_UNMEASURED = "not measured"


def section(facts: ReportFacts) -> PageSection | None:
    """A table for each phase of each run that the probe measured."""
    tables = [(run, phase) for run in facts.runs for phase in dict.fromkeys(row.phase for row in run.rows)]
    if not tables:
        return None
    blocks: list[PageBlock] = [
        Statement(
            "A cell says what was observed: ✓ nothing interfered, ◆ something did, and both should be so; "
            "✗ it should be otherwise; – it was not measured. Below it is the rule that should cause it."
        )
    ]
    for run, phase in tables:
        rows = [row for row in run.rows if row.phase == phase]
        wrong = sum(not row.agrees for row in rows)
        said = "all as expected" if not wrong else f"{wrong} not as expected"
        grid = matrix(run, phase, rows)
        title = f"{run.scenario}, phase {phase}: {counted(len(rows), 'measurement')}, {said}"
        blocks.append(Folded(title, (grid,), open=bool(wrong) or len(tables) <= FEW))
    return PageSection("verdicts", "What each subscriber saw", tuple(blocks))


def matrix(run: RunFacts, phase: str, rows: Sequence[MeasuredRow]) -> DataGrid:
    """Targets by rows, vantages by columns, the one outside last."""
    vantages = [one for one in dict.fromkeys(row.vantage for row in rows) if one != OUTSIDE]
    vantages += [OUTSIDE] * any(row.vantage == OUTSIDE for row in rows)
    by_place: dict[tuple[str, str], list[MeasuredRow]] = {}
    for row in rows:
        by_place.setdefault((row.target, row.vantage), []).append(row)
    targets = dict.fromkeys(row.target for row in rows)
    lines: list[GridRow] = [
        (target, *(_cell(by_place.get((target, vantage), ())) for vantage in vantages)) for target in targets
    ]
    titles = {one.key: one.title for one in run.phases}
    caption = f"{run.title or run.scenario}; phase {phase}" + (
        f": {titles[phase]}" if titles.get(phase) else ""
    )
    return DataGrid(caption, ("target", *vantages), tuple(lines))


def _cell(rows: Sequence[MeasuredRow]) -> GridCell:
    """One measurement, or several of the same."""
    if not rows:
        return GridCell("")
    row = next((row for row in rows if not row.agrees), rows[0])
    share = f", {sum(one.agrees for one in rows)} of {len(rows)} tries as expected" if len(rows) > 1 else ""
    if row.verdict == _UNMEASURED:
        return GridCell(_UNMEASURED, "void")
    cause = f" by {row.by}" if row.by else ""
    if not row.agrees:
        return GridCell(row.seen + share, "bad", f"{row.verdict}; should be {row.should}{cause}")
    return GridCell(row.seen + share, "good" if row.observed == "ok" else "held", row.by)
