"""A detector's score: as tables for a terminal, as Markdown for a CI page."""

import sys
from collections.abc import Mapping, Sequence
from typing import IO, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.detectors.score import NONE, UNCLEAR, PartScore, Score, Thresholds
from testbed.detectors.trials import STANDINGS, Trial
from testbed.detectors.verdicts import LAYERS
from testbed.errors import printable
from testbed.report.cipage import markdown_text
from testbed.report.table import PLAIN_WIDTH

MEANINGS: Final = {
    "hit": "blocked, and it says so",
    "miss": "blocked, observable, met, and it says free",
    "right": "free, and it says so",
    "false alarm": "free, and it says blocked",
    "inconclusive": "it could not tell",
    "no verdict": "its output has nothing about the target",
    "hung": "it did not end in time",
    "crashed": "a signal ended it",
    "flooded": "it printed more than is kept",
    "not started": "it could not be started",
    "not observable": "no run of this tool can tell it: not counted",
    "not met": "the rule did nothing to its own packets: not counted",
    "another rule": "another rule acted on its packets: not counted",
    "lab-error": "the laboratory failed: not counted",
}
_SHOWN: Final = 20  # wrong answers and complaints
_HEAD: Final = ("", "recall", "false positives", "no answer")

Rows = list[tuple[str, ...]]
Section = tuple[str, tuple[str, ...], Rows]  # title, head, rows


def show(score: Score, limits: Thresholds, *, file: IO[str] | None = None) -> None:
    """Print it to `file` (stdout)."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else PLAIN_WIDTH)
    console.print(Text(f"Score of {score.detector}", style="bold"))
    for title, head, rows in _sections(score):
        console.print(Text(f"\n{title}", style="bold cyan"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for name in head:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(table)
    console.print()
    for line in _numbers(score):
        console.print(Text(printable(line), style="dim"), soft_wrap=True)
    failures = score.failures(limits)
    style = "bold red" if failures else "bold green"
    console.print(Text(printable(ending(score, limits)), style=style), soft_wrap=True)


def ending(score: Score, limits: Thresholds) -> str:
    """The last line: whether the thresholds are reached."""
    failures = score.failures(limits)
    if failures:
        return "not enough: " + "; ".join(failures)
    silent = score.whole.inconclusive
    without = f"; without an answer: {silent}" if silent.hits else ""
    return f"good enough: recall {score.whole.recall}, false positives {score.whole.false_positives}{without}"


def markdown(score: Score, limits: Thresholds) -> str:
    """The same for a page of Markdown."""
    lines = [f"## Score of {score.detector}", "", f"**{ending(score, limits)}**"]
    for title, head, rows in _sections(score):
        lines += ["", f"### {title}", "", _row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join([*lines, "", *(f"- {markdown_text(line)}" for line in _numbers(score))]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _sections(score: Score) -> list[Section]:
    found: list[Section] = [("Trials", ("trials", "are", "that is"), _counts(score.whole))]
    parts: Rows = [("all", *_part(score.whole))]
    for what, each in (
        ("technique", score.by_technique),
        ("profile", score.by_profile),
        ("client", score.by_client),
    ):
        parts += [(f"{what} {name}", *_part(part)) for name, part in each.items()]
    found.append(("Blocked or not, with 95 % intervals", _HEAD, parts))
    if score.layers:
        found.append(("Layers: true by row, said by column", *_matrix(score.layers)))
    if score.worst:
        head = ("", "where", "target", "true", "said")
        found.append(("Not hit, not right", head, [_wrong(*one) for one in score.worst[:_SHOWN]]))
    return found


def _counts(whole: PartScore) -> Rows:
    return [(str(whole.counts[one]), one, MEANINGS[one]) for one in STANDINGS if whole.counts.get(one)]


def _part(part: PartScore) -> tuple[str, str, str]:
    return str(part.recall), str(part.false_positives), str(part.inconclusive)


def _matrix(layers: Mapping[tuple[str, str], int]) -> tuple[tuple[str, ...], Rows]:
    order = [NONE, *LAYERS, UNCLEAR, "?"]
    true = [one for one in order if any(one == row for row, _ in layers)]
    said = [one for one in order if any(one == column for _, column in layers)]
    rows = [(row, *(str(layers.get((row, column), "")) for column in said)) for row in true]
    return ("", *said), rows


def _wrong(standing: str, trial: Trial) -> tuple[str, ...]:
    verdict = trial.verdict
    said = f"{verdict.said}: {verdict.words}" if verdict else trial.lab_error or trial.note or "-"
    repeat = f" #{trial.repeat}" if trial.repeat > 1 else ""
    return (
        standing,
        f"{trial.scenario}/{trial.phase} {trial.vantage}{repeat}",
        trial.target,
        trial.outcome,
        said,
    )


def _numbers(score: Score) -> list[str]:
    lines = [f"mechanism right in {score.mechanisms} of the hits that name one; {score.unnamed} name none"]
    if score.macro_f1 is not None:
        lines.append(f"layers: macro-F1 {score.macro_f1:.2f}")
    for name, (number, error) in score.errors.items():
        unit = {
            "rate": "bit/s",
            "received": "bytes",
            "hop": "hops",
            "residual": "s",
            "connections": "connections",
        }[name]
        lines.append(f"{name}: off by {error:,.0f} {unit} on average, of {number}")
    if score.steady.of:
        lines.append(f"repeats agree in {score.steady} of the places")
    lines += [f"flaky: {place}" for place in score.flaky[:_SHOWN]]
    if len(score.worst) > _SHOWN:
        lines.append(f"{len(score.worst) - _SHOWN} more trials are in --json")
    complaints = [one for _, trial in score.worst for one in trial.complaints] + list(score.complaints)
    lines += [f"not understood: {one}" for one in complaints[:_SHOWN]]
    return lines
