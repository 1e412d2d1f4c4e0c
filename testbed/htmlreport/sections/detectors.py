"""How often each detector was right, and every trial."""

from collections.abc import Mapping

from testbed.detectors.score import NONE, UNCLEAR, PartScore
from testbed.detectors.trials import STANDINGS, Standing, Trial
from testbed.detectors.verdicts import LAYERS
from testbed.htmlreport.blocks import (
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
from testbed.htmlreport.facts import EvaluationFacts, ReportFacts
from testbed.report.scores import MEANINGS

_TONES: Mapping[str, Tone] = {
    "hit": "good", "right": "good", "miss": "bad", "false alarm": "bad", "not observable": "void",
    "not met": "void", "another rule": "void", "lab-error": "void",
}  # fmt: skip


def section(facts: ReportFacts) -> PageSection | None:
    """For each evaluation its score by technique, profile and client, and its trials."""
    blocks: list[PageBlock] = []
    for one in facts.evaluations:
        blocks += [Subheading(one.detector + (f", read as {one.adapter}" if one.adapter else "")), *_of(one)]
    return PageSection("detectors", "Detectors", tuple(blocks)) if blocks else None


def _of(one: EvaluationFacts) -> list[PageBlock]:
    score = one.score
    head = ("", "recall", "false positives", "no answer")
    parts: list[GridRow] = [("all", *_part(score.whole))]
    for what, each in (
        ("technique", score.by_technique),
        ("profile", score.by_profile),
        ("client", score.by_client),
    ):
        parts += [(f"{what} {name}", *_part(part)) for name, part in each.items()]
    found: list[PageBlock] = [
        DataGrid(
            "Trials by what they count as",
            ("trials are", "number", "that is"),
            _standings(score.whole),
            frozenset({1}),
        ),
        DataGrid("Blocked or not, with 95 % intervals", head, tuple(parts), sortable=False),
    ]
    if score.layers:
        found.append(_layers(score.layers))
    found += [Statement(sentence) for sentence in _numbers(one)]
    wrong = [(standing, trial) for standing, trial in one.trials if _TONES.get(standing) != "good"]
    if wrong:
        found.append(
            Folded(
                counted(len(wrong), "trial") + " not hit, not right", (_trials(wrong, "Not hit, not right"),)
            )
        )
    if len(one.trials) == one.number:  # of a score alone they are not known
        every = _trials(one.trials, "Every trial")
        found.append(Folded(f"all {counted(len(one.trials), 'trial')}", (every,)))
    return found


def _standings(whole: PartScore) -> tuple[GridRow, ...]:
    return tuple(
        (GridCell(name, _TONES.get(name, "warn")), f"{whole.counts[name]:,}", MEANINGS[name])
        for name in STANDINGS
        if whole.counts.get(name)
    )


def _part(part: PartScore) -> tuple[str, str, str]:
    return str(part.recall), str(part.false_positives), str(part.inconclusive)


def _layers(layers: Mapping[tuple[str, str], int]) -> DataGrid:
    order = [NONE, *LAYERS, UNCLEAR, "?"]
    true = [one for one in order if any(one == row for row, _ in layers)]
    said = [one for one in order if any(one == column for _, column in layers)]
    rows = tuple(
        (
            row,
            *(
                GridCell(f"{layers[row, column]:,}", "good" if row == column else "warn")
                if (row, column) in layers
                else ""
                for column in said
            ),
        )
        for row in true
    )
    return DataGrid(
        "Layers: true by row, said by column", ("true layer", *said), rows,
        frozenset(range(1, len(said) + 1)), sortable=False,
    )  # fmt: skip


def _numbers(one: EvaluationFacts) -> list[str]:
    score = one.score
    found = [
        f"The mechanism is right in {score.mechanisms} of the hits that name one; {score.unnamed} name none."
    ]
    if score.macro_f1 is not None:
        found.append(f"Layers: macro-F1 {score.macro_f1:.2f}.")
    if score.steady.of:
        found.append(f"Repeats agree in {score.steady} of the places.")
    return found


def _trials(
    trials: tuple[tuple[Standing, Trial], ...] | list[tuple[Standing, Trial]], caption: str
) -> DataGrid:
    return DataGrid(
        f"{caption}: {counted(len(trials), 'trial')}",
        ("target", "counts as", "scenario", "phase", "vantage", "repeat", "true", "said", "rule", "seconds"),
        tuple(_trial(*one) for one in trials),
        frozenset({5, 9}),
    )


def _trial(standing: Standing, trial: Trial) -> GridRow:
    verdict = trial.verdict
    said = f"{verdict.said}: {verdict.words}" if verdict else trial.lab_error or trial.note or "nothing"
    return (
        trial.target,
        GridCell(standing, _TONES.get(standing, "warn")),
        trial.scenario,
        trial.phase,
        trial.vantage,
        str(trial.repeat),
        trial.outcome,
        said,
        trial.by,
        f"{trial.seconds:.2f}",
    )
