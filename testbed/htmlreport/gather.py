"""What a user named, found and read: runs, evaluations, monitors, matrices, in that order."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from testbed.errors import InputError, Problem
from testbed.explain.evidence import LAST, run_folder
from testbed.htmlreport.facts import EvaluationFacts, MatrixFacts, MonitorFacts, ReportFacts, RunFacts
from testbed.htmlreport.readothers import read_evaluation, read_file, read_monitor, read_sweep
from testbed.htmlreport.readrun import LadderKey, read_run
from testbed.report.paths import typed
from testbed.sweep.sweepfolder import is_sweep

SourceKind = Literal["run", "evaluation", "monitor", "file", "sweep"]
_MARKS: Final[tuple[tuple[str, SourceKind], ...]] = (  # a file that says what a folder is
    ("scenario.json", "run"),
    ("monitor.json", "monitor"),
    ("trials.jsonl", "evaluation"),
    ("plan.json", "evaluation"),
)
_PRINTED: Final = "`testbed matrix --json` or `testbed score --json`"
_WANTED: Final = f"a run's folder, an evaluation's, a monitor's, a sweep's, or a file of {_PRINTED}"


def gather(asked: Sequence[str], progress: Callable[[str], None] = lambda _: None) -> ReportFacts:
    """Read all that was named. `progress` gets the name of each before it is read.

    Errors: InputError with a problem for each that is nothing to report on.
    """
    found = _found(asked)
    shown: set[LadderKey] = set()
    read: list[RunFacts | EvaluationFacts | MonitorFacts | MatrixFacts] = []
    unread: list[str] = []
    for path, kind, named in found:
        progress(typed(path))
        try:
            match kind:
                case "run":
                    read.append(read_run(path, shown))
                case "evaluation":
                    read.append(read_evaluation(path))
                case "monitor":
                    read.append(read_monitor(path))
                case "file":
                    read.append(read_file(path))
                case "sweep":
                    read += read_sweep(path)
        except InputError as error:
            if named:
                raise
            unread += [str(problem) for problem in error.problems]
    if not read:
        raise InputError.at("RUN", "; ".join(unread) or "there is nothing to report on", f"name {_WANTED}")
    return ReportFacts(
        asked=tuple(asked),
        runs=tuple(one for one in read if isinstance(one, RunFacts)),
        evaluations=tuple(one for one in read if isinstance(one, EvaluationFacts)),
        monitors=tuple(one for one in read if isinstance(one, MonitorFacts)),
        matrices=tuple(one for one in read if isinstance(one, MatrixFacts)),
        unread=tuple(unread),
    )


def _found(asked: Sequence[str]) -> list[tuple[Path, SourceKind, bool]]:
    """Path, kind, and whether the user named it: what is in a folder of runs was not."""
    problems: list[Problem] = []
    found: dict[Path, tuple[Path, SourceKind, bool]] = {}
    for given in asked:
        try:
            for one in _sources(given):
                found.setdefault(one[0].resolve(), one)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return list(found.values())


def _sources(given: str) -> Iterator[tuple[Path, SourceKind, bool]]:
    path = Path(given)
    if given == LAST and not path.exists():
        yield run_folder(given), "run", True
    elif path.is_file():
        yield path, "file", True
    elif not path.is_dir():
        yield run_folder(given), "run", True
    elif kind := _kind(path):
        yield path, kind, True
    else:
        inside = [(one, kind) for one in sorted(path.iterdir()) if one.is_dir() and (kind := _kind(one))]
        if not inside:
            empty = "is empty" if not any(path.iterdir()) else "holds nothing that a report could show"
            raise InputError.at("RUN", f"{given} {empty}", f"name {_WANTED}")
        yield from ((one, kind, False) for one, kind in inside)


def _kind(folder: Path) -> SourceKind | None:
    if is_sweep(folder):
        return "sweep"
    return next((kind for name, kind in _MARKS if (folder / name).exists()), None)
