"""From the folder of an evaluation or a monitor, and the file of a matrix or a score, to facts."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from testbed.detectors.adapter import adapter
from testbed.detectors.recorded import of_evaluation
from testbed.detectors.score import Score, score
from testbed.detectors.trials import Standing
from testbed.errors import InputError
from testbed.htmlreport.facts import EvaluationFacts, MatrixFacts, MonitorFacts
from testbed.monitor.journal import FORMAT as MONITOR_FORMAT
from testbed.monitor.journal import VERSION as MONITOR_VERSION
from testbed.monitor.sample import STATES, Sample
from testbed.report.paths import typed
from testbed.sweep.sweptresults import SweepResults

MATRIX_VERSION: Final = 1  # of `testbed matrix --json`
_MADE: Final = "make it with: testbed matrix … --json > FILE, or testbed score … --json > FILE"


def read_evaluation(folder: Path) -> EvaluationFacts:
    """The trials of an evaluation, also of one that was interrupted, and their score.

    Errors: InputError if nothing says what was evaluated.
    """
    detector, known, trials = of_evaluation(folder)
    reader = adapter(known)
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    missing = []
    lines = _line_count(folder / "trials.jsonl")
    if not trials:
        missing.append("trials.jsonl has no trial")
    broken = sum(1 for values in _objects(folder / "trials.jsonl") if values is None)
    if broken:
        missing.append(f"trials.jsonl: {broken:,} of {lines:,} lines cannot be read")
    return EvaluationFacts(
        folder=typed(folder),
        detector=detector,
        adapter=known,
        plan=plan,
        trials=tuple((trial.standing(reader), trial) for trial in trials),
        score=score(detector, trials, reader),
        missing=tuple(missing),
    )


def read_sweep(folder: Path) -> list[EvaluationFacts | MatrixFacts]:
    """A sweep's detectors as evaluations, its strategies as a matrix; also of one that is not whole.

    Errors: InputError for a file that was cut short or is of another version.
    """
    found = SweepResults.read(folder)
    facts: list[EvaluationFacts | MatrixFacts] = [
        EvaluationFacts(
            folder=typed(folder),
            detector=name,
            adapter=reader.name,
            plan=found.plan,
            trials=tuple((trial.standing(reader), trial) for trial in trials),
            score=score(name, trials, reader),
            missing=found.missing,
        )
        for name, (reader, trials) in found.detectors.items()
    ]
    if found.cells:
        how = "core" if found.plan.get("core") else "live"
        facts.append(MatrixFacts(file=typed(folder), how=how, cells=found.cells, left_out=found.missing))
    return facts


def read_monitor(folder: Path) -> MonitorFacts:
    """The samples of a monitor; what an interrupted one has.

    Errors: InputError if it is none, or of another version.
    """
    missing: list[str] = []
    settings = _object(folder / "monitor.json", missing, "it does not say what was watched")
    if settings.get("format") != MONITOR_FORMAT:
        raise InputError.at(str(folder), "its monitor.json is not a monitor's", "name another folder")
    if (version := settings.get("version")) != MONITOR_VERSION:
        message = f"it was made by another testbed: version {version!r}, this one has {MONITOR_VERSION}"
        raise InputError.at(str(folder), message, "watch anew in another folder")
    samples, broken = [], 0
    for values in _objects(folder / "samples.jsonl"):
        try:
            sample = Sample.from_json(values or {})
        except (TypeError, KeyError):
            broken += 1
            continue
        if sample.state in STATES:
            samples.append(sample)
        else:
            broken += 1
    if broken:
        missing.append(f"samples.jsonl: {broken:,} lines cannot be read")
    if not samples:
        missing.append("samples.jsonl has no sample")
    summary = _object(folder / "summary.json", missing, "the monitor did not come to its end")
    incidents = tuple(one for one in _objects(folder / "incidents.jsonl") if one is not None)
    every = settings.get("every")
    return MonitorFacts(
        folder=typed(folder),
        settings=settings,
        every=float(every) if isinstance(every, int | float) else 0.0,
        samples=tuple(samples),
        incidents=incidents,
        verdict=_verdict(summary),
        missing=tuple(missing),
    )


def _verdict(summary: Mapping[str, Any]) -> str:
    compared = summary.get("comparison")
    if not isinstance(compared, dict):
        return ""
    if problems := summary.get("problems"):
        return f"INVALID: {problems[0]}"
    word = "as expected" if not summary.get("exit_status") else "NOT as expected"
    return f"{word}: {compared.get('agreeing')} of {compared.get('judged')} judged samples agree"


def read_file(path: Path) -> MatrixFacts | EvaluationFacts:
    """What `testbed matrix --json`, `evaluate --json` or `score --json` printed.

    Errors: InputError for any other file, or another version.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError.at(str(path), f"cannot be read: {error.strerror}", _MADE) from error
    except ValueError as error:
        raise InputError.at(str(path), "is no JSON, or was cut short", _MADE) from error
    if isinstance(values, dict) and isinstance(values.get("cells"), list) and "matrix" in values:
        return _matrix(path, values)
    if isinstance(values, dict) and "detector" in values and "mechanism_not_named" in values:
        return _scored(path, values)
    raise InputError.at(str(path), "is neither a matrix nor a score", _MADE)


def _scored(path: Path, values: Mapping[str, Any]) -> EvaluationFacts:
    try:
        found = Score.from_json(values)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError.at(str(path), f"is a score of another form: {error}", _MADE) from error
    alone = "it is a score alone: how it was made and which trials were right are in the evaluation's folder"
    return EvaluationFacts(
        folder=typed(path),
        detector=found.detector,
        adapter="",
        plan={},
        trials=tuple((cast("Standing", standing), trial) for standing, trial in found.worst),
        score=found,
        missing=(alone,),
    )


def _matrix(path: Path, values: Mapping[str, Any]) -> MatrixFacts:
    if values["matrix"] != MATRIX_VERSION:
        message = f"is a matrix of version {values['matrix']!r}, and this testbed reads {MATRIX_VERSION}"
        raise InputError.at(str(path), message, _MADE)
    try:
        cells = {(str(cell["tool"]), str(cell["box"])): {"ending": "", **cell} for cell in values["cells"]}
    except (TypeError, KeyError) as error:
        raise InputError.at(str(path), f"has a cell without {error}", _MADE) from error
    left = tuple(map(str, values.get("left_out") or ()))
    return MatrixFacts(file=typed(path), how=str(values.get("how", "")), cells=cells, left_out=left)


def _objects(path: Path) -> Iterator[dict[str, Any] | None]:
    """The lines of a file of JSON lines; None for one that cannot be read."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.strip():
                try:
                    values = json.loads(line)
                except ValueError:
                    values = None
                yield values if isinstance(values, dict) else None


def _line_count(path: Path) -> int:
    return sum(1 for _ in _objects(path))


def _object(path: Path, missing: list[str], otherwise: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError:
        missing.append(f"{path.name} is not there: {otherwise}")
    except ValueError:
        missing.append(f"{path.name} is cut short: {otherwise}")
    else:
        if isinstance(values, dict):
            return values
        missing.append(f"{path.name} holds something else than it should")
    return {}
