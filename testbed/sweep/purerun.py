"""A run of a sweep without a world: the exchanges of the built-in probe, or a strategy, by the core."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from testbed.detectors.adapter import built_in
from testbed.detectors.pairing import cases
from testbed.detectors.recorded import ProbeView
from testbed.dryrun.ask import Asker
from testbed.errors import InputError
from testbed.matrix.purebox import PureBox
from testbed.matrix.purecells import tried_purely
from testbed.matrix.reference import row
from testbed.matrix.scenarioboxes import scenario_boxes
from testbed.measurement.ooni import Measurement
from testbed.model import Scenario
from testbed.scenario.inspection import with_model
from testbed.scenario.tojson import digest_of
from testbed.shapes.known import SHAPES
from testbed.sweep.rowsof import strategy_row, trial_row
from testbed.sweep.sweepspec import RunParameters, SweepRun
from testbed.truth.expected import truth

KEPT = 64  # scenarios with their parameters that a process keeps; our choice


def pure_rows(run: SweepRun) -> Iterator[dict[str, Any]]:
    """The rows of a run: of the probe's trials, or of the strategy's try."""
    scenario = adjusted(run.scenario, run.digest, run.parameters)
    if run.kind == "strategy":
        for vantage, box in _boxes(run.scenario, run.digest, run.parameters, run.phase, run.vantages):
            made = tried_purely(row(run.contender)(run.seed, box.name), box, run.seed)
            yield strategy_row(vantage, box, made)
        return
    asker, shape, ipv = (
        _asker(run.scenario, run.digest, run.parameters),
        SHAPES[run.parameters.client],
        run.parameters.ipv,
    )
    reader = built_in()["probe"]
    for vantage in run.vantages:
        place = replace(asker.place(run.phase, vantage), seed=run.seed)
        targets = {one.target.url: one.target for one in truth(scenario, run.phase, (vantage,), ipv)}
        known = [
            one for one in cases(scenario, run.phase, (vantage,), ipv)
            if asker.speaks(shape.key, targets[one.target])
        ]  # fmt: skip
        seen: list[Measurement] = []
        acted: dict[str, tuple[str, ...]] = {}
        for one in known:
            target = targets[one.target]
            seen += asker.outside(place, target, shape, ipv=ipv, draw=run.seed)[:1]
            answer = asker.answers(place, target, shape, ipv=ipv, draw=run.seed)[0]
            seen.append(answer.trial.measurement)
            acted[one.target] = answer.trial.rules
        view = ProbeView(seen, [one.url for one in scenario.controls])
        measured = {one.target: one for one in seen if one.vantage == vantage}
        for one in known:
            verdict = view.verdict(measured[one.target])
            said = replace(one, client=shape.key, acted=acted[one.target], verdict=verdict)
            yield trial_row(said, reader)


def boxes_at(scenario: Scenario, phase: str, vantages: Sequence[str]) -> Iterator[tuple[str, PureBox]]:
    """The box that a strategy meets at each vantage: of the first name that it blocks over TLS, if any."""
    for vantage in vantages:
        mine = tuple(one for one in scenario.expect if (one.phase, one.vantage) == (phase, vantage))
        try:
            yield vantage, scenario_boxes(replace(scenario, expect=mine))[0]
        except InputError:  # there is nothing to get through
            continue


@lru_cache(KEPT)
def adjusted(name: str, digest: str, given: RunParameters) -> Scenario:
    """The scenario with a run's parameters.

    Errors: InputError for one that is not there, or is another one than where the sweep began.
    """
    from testbed.scenario.loadcache import load_kept

    scenario = load_kept(name)
    if digest and digest_of(scenario) != digest:
        message = "it differs from the one with which the sweep began"
        raise InputError.at(name, message, "give every worker the same files, or begin in a new folder")
    if given.time_scale is not None:
        scenario = replace(scenario, time_scale=given.time_scale)
    return scenario if given.model is None else with_model(scenario, given.model, "model")


@lru_cache(KEPT)
def _boxes(
    name: str, digest: str, given: RunParameters, phase: str, vantages: tuple[str, ...]
) -> list[tuple[str, PureBox]]:
    return list(boxes_at(adjusted(name, digest, given), phase, vantages))


@lru_cache(KEPT)
def _asker(name: str, digest: str, given: RunParameters) -> Asker:
    return Asker(adjusted(name, digest, given))
