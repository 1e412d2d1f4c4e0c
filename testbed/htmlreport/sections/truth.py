"""What should have been seen beside what was seen."""

from collections import Counter

from testbed.htmlreport.blocks import DataGrid, GridCell, GridRow, PageBlock, PageSection, Statement, counted
from testbed.htmlreport.facts import MeasuredRow, ReportFacts, RunFacts


def section(facts: ReportFacts) -> PageSection | None:
    """Labels by labels, then each row that a rule caused or that is not as expected."""
    rows = [(run, row) for run in facts.runs for row in run.rows]
    if not rows:
        return None
    wrong = [one for one in rows if not one[1].agrees]
    blocks: list[PageBlock] = [_labels([row for _, row in rows])]
    if wrong:
        blocks.append(Statement(f"{counted(len(wrong), 'measurement')} not as expected.", "bad"))
    else:
        blocks.append(Statement("Every measurement is as expected.", "good"))
    shown = [*wrong, *((run, row) for run, row in rows if row.agrees and (row.by or row.others))]
    if shown:
        blocks.append(
            DataGrid(
                f"{counted(len(shown), 'measurement')}: those that differ, and those that a rule caused",
                ("target", "vantage", "run", "should be", "observed", "verdict", "rule", "packets"),
                tuple(_row(*one) for one in shown),
                frozenset({7}),
            )
        )
    return PageSection("truth", "Truth against observed", tuple(blocks))


def _labels(rows: list[MeasuredRow]) -> DataGrid:
    """How often each label was expected and observed."""
    counts = Counter((row.expected, row.observed) for row in rows)
    expected = list(dict.fromkeys(sorted(row.expected for row in rows)))
    observed = list(dict.fromkeys(sorted(row.observed for row in rows)))
    lines: list[GridRow] = []
    for one in expected:
        cells = [_count(counts[one, other], same=one == other) for other in observed]
        lines.append((one, *cells))
    return DataGrid(
        f"{counted(len(rows), 'measurement')}: expected by row, observed by column", ("expected", *observed),
        tuple(lines), frozenset(range(1, len(observed) + 1)), sortable=False,
    )  # fmt: skip


def _count(number: int, *, same: bool) -> GridCell:
    if not number:
        return GridCell("")
    return GridCell(f"{number:,}", "good" if same else "warn")


def _row(run: RunFacts, row: MeasuredRow) -> GridRow:
    acted = "; ".join(dict.fromkeys([*([row.by] if row.by else []), *row.others]))
    return (
        row.target,
        row.vantage,
        f"{run.scenario}, phase {row.phase}",
        row.should,
        row.seen + (f" ({row.failure})" if row.failure and not row.agrees else ""),
        GridCell("as expected", "good") if row.agrees else GridCell(row.verdict, "bad"),
        acted,
        f"{row.kernel:,}" if row.by else "",
    )
