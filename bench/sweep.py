"""A sweep on one worker and on two, without worlds and in them; with workers that only sleep, on hundreds."""

import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.result import Budget, Quantity, Result, round_ratios
from testbed.parquet.store import extra
from testbed.sweep.cluster import UNSEEN, local_cluster
from testbed.sweep.onerun import RunAnswer
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepfolder import SweepFolder
from testbed.sweep.sweeping import Sweeping
from testbed.sweep.sweeptables import SweptRun
from testbed.sweep.workerside import SweepTask, do_task

_SPEC: Final = "{{scenarios: [linkedin-ban-2016], vantages: each, seeds: {}}}"  # six vantages
_LIVE: Final = "{{scenarios: [linkedin-ban-2016], vantages: [mts], seeds: {}}}"  # two targets, which time out
_SEEDS: Final = 40  # for each worker, and so below
_LIVE_SEEDS: Final = 8
_TURNS: Final = 5  # of one worker and of two: the machine may be faster in one than in the next
_QUICK: Final = 5
_LIVE_QUICK: Final = 2
_NAP: Final = 2.0  # seconds of a run that only sleeps, as short as a live one on a quiet machine
_SIMULATED: Final = (16, 64, 128)  # 256 in one process are busy with one another


def measure(*, quick: bool) -> list[Result]:
    """Runs a second by two workers as a share of twice those by one; and how much of the time many work."""
    made = [
        _pair("sweep, two workers", _SPEC, _QUICK if quick else _SEEDS, 1 if quick else _TURNS, core=True),
        _pair("sweep in worlds, two workers", _LIVE, _LIVE_QUICK if quick else _LIVE_SEEDS, 1, core=False),
    ]
    for workers in () if quick else _SIMULATED:
        share = Quantity(simulated(workers))
        made.append(
            Result(
                f"sweep, {workers} workers that sleep", share, Quantity(1.0), "no waiting", share, Budget(),
                f"share of the time that they work, with runs of {_NAP:g} s; client and scheduler are real",
            )
        )  # fmt: skip
    return made


def _pair(what: str, spec: str, seeds: int, turns: int, *, core: bool) -> Result:
    rates: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(turns):
        for workers in (1, 2) if turn % 2 else (2, 1):
            rates[workers].append(_rate(workers, spec, seeds, core=core))
    ratios = [ratio / 2 for ratio in round_ratios(rates[2], rates[1])]
    one, two = (Quantity(median(rates[workers]), "runs/s") for workers in (1, 2))
    how = "runs by the core" if core else "runs of the probe in worlds, which mostly wait"
    return Result(
        what, two, one, "one worker", Quantity(median(ratios)), Budget(least=0.9),
        f"{how}; client and scheduler share the machine", {"rates": rates, "ratios": ratios},
    )  # fmt: skip


def simulated(workers: int) -> float:
    """The share of their time that so many workers sleep, in runs of some seconds each, four for each."""
    distributed = extra("distributed", "sweep")
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None,
            memory_limit=0, silence_logs=logging.CRITICAL, local_directory=folder, scheduler_kwargs=UNSEEN,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        text = f"{{scenarios: [free-network], vantages: [mts], seeds: {4 * workers}}}"
        sweeping = _sweeping(Path(folder), text, client, core=False)
        sweeping.task = rested
        began = time.monotonic()
        sweeping.make(lambda *_: None)
        return 4 * _NAP / (time.monotonic() - began)


def rested(task: SweepTask) -> Sequence[RunAnswer]:
    """Answers after a while, without doing anything."""
    time.sleep(_NAP)
    return [RunAnswer(SweptRun(run.number, attempts=attempt)) for run, attempt in task.runs]


def _rate(workers: int, spec: str, seeds: int, *, core: bool) -> float:
    """Runs a second, when each worker has made one."""
    with tempfile.TemporaryDirectory() as folder, local_cluster(workers) as client:
        sweeping = _sweeping(Path(folder), spec.format(seeds * workers), client, core=core)
        plan = sweeping.folder.plan
        client.run(do_task, SweepTask(plan.version, plan.spec.settings, ((plan.run(0), 1),)))
        began = time.monotonic()
        sweeping.make(lambda *_: None)
        return len(plan) / (time.monotonic() - began)


def _sweeping(folder: Path, text: str, client: Any, *, core: bool) -> Sweeping:
    file = folder / "sweep.yaml"
    file.write_text(text, "utf-8")
    plan = load_sweep(file, core=core)
    return Sweeping(SweepFolder.open(folder / "swept", plan), client, plan.spec.settings)
