"""A run of a sweep in a world of its own."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.detectors.adapter import adapter
from testbed.detectors.pairing import cases
from testbed.detectors.recorded import TRIALS, saved_trials
from testbed.detectors.trials import Trial
from testbed.errors import InvalidRunError
from testbed.evaluation.spec import PROBE, EvaluationSpec, detector_of, trials_of
from testbed.evaluation.unit import Unit, judged_trials
from testbed.matrix.cell import Ending
from testbed.matrix.kepttries import kept_tries
from testbed.matrix.livecells import LiveRow, live_cells, live_row
from testbed.matrix.recipecells import recipe_cells, recipe_named
from testbed.model import Scenario
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.sweep.purerun import adjusted, boxes_at
from testbed.sweep.rowsof import strategy_row, trial_row
from testbed.sweep.sweepspec import RunSettings, SweepRun

_FULL = re.compile(r"No space left on device|Disk quota exceeded")


class DiskFullError(InvalidRunError):
    """This machine has no room for a run's folder: another one may have."""


def live_rows(run: SweepRun, settings: RunSettings, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run; a trial that the laboratory spoiled has the standing `lab-error`.

    Errors: InputError and UnsupportedError as those of `execute`; InvalidRunError if there is no result.
    """
    scenario = replace(adjusted(run.scenario, run.digest, run.parameters), seed=run.seed)
    if run.kind == "strategy":
        yield from _strategy(run, scenario, folder)
        return
    words, reader = detector_of(run.contender, None)
    if words:
        trials = _by_command(run, scenario, words, reader.name, settings.limit, folder)
    else:
        trials = _by_probe(run, scenario, settings, folder)
    for one in trials:
        if _FULL.search(one.lab_error):
            raise DiskFullError(one.lab_error)
        yield trial_row(one, reader)


def _by_probe(run: SweepRun, scenario: Scenario, settings: RunSettings, folder: Path) -> list[Trial]:
    given = run.parameters
    job = Job(
        scenario, phase=run.phase, vantages=run.vantages, timeout=given.timeout, ipv=given.ipv,
        again=settings.again, out=folder / "w",
    )  # fmt: skip
    return probe_trials(execute(job), scenario, run)


def probe_trials(result: RunResult, scenario: Scenario, run: SweepRun) -> list[Trial]:
    """The probe's trials of a run. InvalidRunError if a signal ended it."""
    if result.exit_status > 128:
        raise InvalidRunError(f"a signal ended it: {result.verdict}")
    known = {
        (one.vantage, one.target): one
        for one in cases(scenario, run.phase, run.vantages, run.parameters.ipv)
        if adapter(PROBE).takes(one.scheme)
    }
    return judged_trials(result, known, scenario, adapter(PROBE))


def _by_command(
    run: SweepRun, scenario: Scenario, words: tuple[str, ...], reader: str, limit: float, folder: Path
) -> list[Trial]:
    spec = EvaluationSpec(
        detector=run.contender, adapter=reader, command=words, scenarios=(run.scenario,), seed=run.seed,
        limit=limit, client=adapter(reader).client,
    )  # fmt: skip
    for part in ("raw", "worlds"):
        (folder / part).mkdir()
    unit = Unit(folder, spec, scenario, (run.phase,), run.vantages)
    unit.work()
    made = {one.place: one for one in saved_trials(folder / TRIALS)}
    known = [one for one in trials_of(spec, scenario, run.phase) if one.vantage in run.vantages]
    return [made.get(one.place) or replace(one, lab_error="it was not made") for one in known]


def _strategy(run: SweepRun, scenario: Scenario, folder: Path) -> Iterator[dict[str, Any]]:
    recipe = recipe_named(run.contender)
    for vantage, box in boxes_at(scenario, run.phase, run.vantages):
        with kept_tries(folder / vantage) as kept:
            if recipe:
                (cell,) = recipe_cells([recipe], [box], 1, kept)
            else:
                (cell,) = live_cells([_row(run.contender)], [box], 1, kept, seed=run.seed)
        made = cell.decided
        if made.ending is Ending.UNEXPLAINED:
            raise InvalidRunError(f"{cell.box}: it failed although no rule did anything: {made.reason}")
        yield strategy_row(vantage, box, made)


def _row(text: str) -> LiveRow:
    found = live_row(text)
    if isinstance(found, str):
        raise InvalidRunError(found)
    return found
