"""The labelled flows of one run, for a data set."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from testbed import __version__
from testbed.dataset.exchanges import Exchanges
from testbed.dataset.exportfolder import FLOWS_OF_RUN
from testbed.dataset.flowcut import LabelledFlow
from testbed.dataset.flowtables import FlowTables, tables_of
from testbed.dataset.liveflows import drawn_scenario, live_flows
from testbed.detectors.adapter import adapter
from testbed.errors import InvalidRunError
from testbed.evaluation.spec import PROBE
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.sweep.liverun import probe_trials
from testbed.sweep.purerun import adjusted
from testbed.sweep.rowsof import trial_row
from testbed.sweep.sweepspec import RunSettings, SweepRun
from testbed.truth.expected import truth


def pure_tables(run: SweepRun) -> FlowTables | None:
    """As many drawn exchanges as the run has targets that something is expected of; None for none."""
    scenario, given = adjusted(run.scenario, run.digest, run.parameters), run.parameters
    drawn = Exchanges([scenario], [given.client], [given.ipv], phase=run.phase, vantages=run.vantages)
    if drawn.empty:
        return None
    expected = truth(scenario, run.phase, run.vantages, given.ipv)
    most = sum(one.role == "expectation" for one in expected)
    return _numbered(run, islice(drawn.block(_chance(run)), most))


def rows_and_tables(
    run: SweepRun, settings: RunSettings, folder: Path
) -> tuple[list[dict[str, Any]], FlowTables | None]:
    """A run of the probe under drawn names, with a capture. Errors: as `live_rows`."""
    chance, given = _chance(run), run.parameters
    own = replace(adjusted(run.scenario, run.digest, given), seed=run.seed)
    scenario = drawn_scenario(own, run.phase, run.vantages, chance)
    job = Job(
        scenario, phase=run.phase, vantages=run.vantages, timeout=given.timeout, ipv=given.ipv,
        again=settings.again, capture=True, out=folder / "w",
    )  # fmt: skip
    result = execute(job)
    trials = probe_trials(result, scenario, run)
    rows = [trial_row(one, adapter(PROBE)) for one in trials]
    if result.problems:
        return rows, None
    captured = result.captured
    if captured is None or captured.lost or captured.cut or captured.left_out or not captured.whole:
        raise InvalidRunError(f"the capture has not all packets: {captured or 'there is none'}")
    return rows, _numbered(run, live_flows(result, scenario, chance))


def _chance(run: SweepRun) -> Random:
    return Random(f"{run.seed} flows {run.number}")


def _numbered(run: SweepRun, flows: Iterator[LabelledFlow]) -> FlowTables | None:
    numbered = list(enumerate(islice(flows, FLOWS_OF_RUN), run.number * FLOWS_OF_RUN))
    return (
        tables_of(numbered, f"run {run.number} of a sweep of testbed {__version__}", __version__)
        if numbered
        else None
    )
