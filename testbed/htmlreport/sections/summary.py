"""The first section: what was done and what came of it, in sentences."""

from testbed.htmlreport.blocks import (
    Bullets,
    DataGrid,
    GridCell,
    GridRow,
    PageSection,
    Statement,
    Tone,
    counted,
)
from testbed.htmlreport.facts import EvaluationFacts, MatrixFacts, MonitorFacts, ReportFacts, RunFacts
from testbed.matrix.cell import Ending

_THROUGH = (Ending.THROUGH, Ending.UNSEEN)


def section(facts: ReportFacts) -> PageSection:
    """The verdicts, and a line for each thing that the page is about."""
    grid = DataGrid(
        "Everything on this page",
        ("what", "result", "kind", "place"),
        (
            *map(_run, sorted(facts.runs, key=_as_it_should)),
            *map(_evaluation, facts.evaluations),
            *map(_monitor, facts.monitors),
            *map(_matrix, facts.matrices),
        ),
    )
    sentences = [
        *_sentences(facts),
        *(["What is missing is named at the end of the page."] if facts.missing else []),
    ]
    return PageSection("summary", "Summary", (Bullets(tuple(sentences)), Statement(_MEANING), grid))


_MEANING = (
    "Every network here was emulated on one machine: operators, sites and censors in private namespaces. "
    "Nothing on this page was measured in the real Internet."
)


def _sentences(facts: ReportFacts) -> list[str]:
    found = []
    if facts.runs:
        found += _of_runs(facts.runs)
    for one in facts.evaluations:
        whole = one.score.whole
        found.append(
            f"{one.detector} was tried {counted(one.number, 'time')}: it found {whole.recall} of what "
            f"was blocked, and called {whole.false_positives} of what was free blocked."
        )
    for seen in facts.monitors:
        times = len({sample.time for sample in seen.samples})
        found.append(
            f"{', '.join(_words(seen.settings.get('scenarios')))} was watched at "
            f"{counted(times, 'instant')}: "
            f"{counted(len(seen.samples), 'sample')}, {counted(len(seen.incidents), 'incident')}."
        )
    for table in facts.matrices:
        through = sum(cell["ending"] in _THROUGH for cell in table.cells.values())
        found.append(
            f"{counted(len(table.tools), 'tool')} met {counted(len(table.boxes), 'box', 'boxes')}: "
            f"{through:,} of {len(table.cells):,} pairs got through."
        )
    return found


def _of_runs(runs: tuple[RunFacts, ...]) -> list[str]:
    rows = [row for run in runs for row in run.rows]
    scenarios = len({run.scenario for run in runs})
    agreeing = sum(row.agrees for row in rows)
    found = [f"{counted(len(runs), 'run')} of {counted(scenarios, 'scenario')}."]
    if rows:
        all_of = "all" if agreeing == len(rows) else f"{agreeing:,}"
        found.append(
            f"{counted(len(rows), 'measurement')} compared with what should have been seen: {all_of} agree."
        )
        touched = sum(row.observed not in ("ok", "broken", "refused", "outage") for row in rows)
        found.append(f"Filters interfered with {touched:,} of them.")
    if invalid := sum(run.valid is False for run in runs):
        found.append(f"{counted(invalid, 'run')} invalid: what was seen there says nothing.")
    if cut := sum(run.valid is None for run in runs):
        found.append(f"{counted(cut, 'run')} did not come to an end; what is there is shown.")
    return found


def _as_it_should(run: RunFacts) -> bool:
    """Those with False come first: a reader of a hundred runs looks for the two that differ."""
    return run.valid is True and run.agreeing == len(run.rows)


def _run(run: RunFacts) -> GridRow:
    tone: Tone = "warn" if run.valid is None else "bad"
    if _as_it_should(run):
        tone = "good" if run.rows else ""
    said = run.verdict or (f"the program ended with {run.exit_status}" if run.command else "")
    kind = "a program" if run.command else "measurements by the probe"
    return f"{run.name}", GridCell(said or "it did not come to its end", tone), kind, run.folder


def _evaluation(one: EvaluationFacts) -> GridRow:
    recall, false = one.score.whole.recall, one.score.whole.false_positives
    return (
        f"detector {one.detector}",
        GridCell(f"recall {recall}, false positives {false}"),
        counted(one.number, "trial"),
        one.folder,
    )


def _monitor(one: MonitorFacts) -> GridRow:
    tone: Tone = "warn" if not one.verdict else "good" if one.verdict.startswith("as expected") else "bad"
    said = GridCell(one.verdict or "it did not come to its end", tone)
    return f"{', '.join(_words(one.settings.get('scenarios')))} over time", said, "a monitor", one.folder


def _matrix(one: MatrixFacts) -> GridRow:
    through = sum(cell["ending"] in _THROUGH for cell in one.cells.values())
    how = "by the pure core" if one.how == "core" else "live, in worlds"
    return "tools against boxes", GridCell(f"{through:,} of {len(one.cells):,} got through"), how, one.file


def _words(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
