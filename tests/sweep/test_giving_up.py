"""A run that kills its worker whenever it is made: it alone is given up, and its neighbours are made."""

import os
import signal
from pathlib import Path

import dask
import pytest

from testbed.errors import Exit
from testbed.sweep import cluster
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepfolder import sweep_view
from testbed.sweep.sweeping import DIED
from tests.inprocess import run_here
from tests.sweep.clusterparts import children, command_of, sweep_words, wait_for

DEADLY = 3  # the seed
MOST = 14  # deaths, so that a sweep that never gives up ends, too
KILLER = f"""
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from testbed.censor.actions.base import Action
from testbed.censor.decision import PASS


@dataclass(frozen=True, slots=True)
class Killer(Action[None]):
    key: ClassVar[str] = "killer"

    def on_match(self, ctx):
        # A run of a sweep, not the check of its scenario.
        frame = sys._getframe()
        while frame and frame.f_code.co_name != "pure_rows":
            frame = frame.f_back
        if frame and frame.f_locals["run"].seed == {DEADLY}:
            with Path(__file__).with_name("deaths").open("ab", buffering=0) as deaths:
                deaths.write(b".")
                if deaths.tell() <= {MOST}:
                    os.kill(os.getpid(), signal.SIGKILL)
        return PASS
"""
SCENARIO = """
title: A technique that kills the process that runs it
period: any
sources: [our choice]
operators: [mts, beeline]
censors:
  box:
    profile: leg-active
    rules:
      - {name: kill, match: {http.host: [www.bbc.com]}, action: "killer.py:Killer"}
phases: {all: {mts: box}}
default_phase: all
expect:
  - {vantage: mts, target: "http://www.bbc.com/", outcome: ok}
  - {vantage: beeline, target: "http://www.bbc.com/", outcome: ok}
controls: ["https://vk.com/"]
"""
SPEC = "{scenarios: [deadly.yaml, free-network], vantages: [mts, beeline], seeds: 6}"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    for name, text in {"killer.py": KILLER, "deadly.yaml": SCENARIO, "sweep.yaml": SPEC}.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path / "sweep.yaml"


@pytest.mark.parametrize(
    ("deaths", "workers"), [(1, 1), pytest.param(cluster.DEATHS, 2, marks=pytest.mark.slow)]
)
def test_a_run_under_which_every_worker_dies_is_given_up_and_no_other(
    deaths: int, workers: int, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "DEATHS", deaths)
    out = tmp_path / "swept"
    words = sweep_words(spec, out, "--core", "--local", str(workers))[1:]
    first = run_here(*words, cwd=tmp_path)
    said = first.stderr.decode()
    assert first.returncode == Exit.INVALID, said
    last = f"the laboratory failed in 1 of them: run {DEADLY} (deadly all mts probe seed {DEADLY}): {DIED}"
    assert said.splitlines()[-1] == last
    assert (tmp_path / "deaths").stat().st_size == 2 * deaths
    runs = sweep_view(out).sql("SELECT run, attempts, trials FROM runs WHERE lab_error = ?", params=[DIED])
    assert runs.fetchall() == [(DEADLY, 1, 0)]
    made = sweep_view(out).sql("SELECT count(*) FROM runs WHERE lab_error = '' AND trials > 0")
    assert made.fetchall() == [(len(load_sweep(spec, core=True)) - 1,)]

    again = run_here(*words, cwd=tmp_path)
    assert (again.returncode, again.stderr.decode().splitlines()[-1]) == (Exit.INVALID, last)
    assert (tmp_path / "deaths").stat().st_size == 2 * deaths


def test_a_worker_that_dask_has_given_up_is_replaced() -> None:
    """It gives up one that is not back soon after its end, as when it died more than once."""
    timeout = {"distributed.deploy.lost-worker-timeout": "300ms"}
    with dask.config.set(timeout), cluster.local_cluster(1) as client:
        os.kill(workers()[0], signal.SIGKILL)
        wait_for(lambda: not (client.cluster.workers or workers()), "the end of the worker")
        cluster.bring_back(client, len(cluster.workers_of(client)))
        wait_for(lambda: cluster.workers_of(client), "another worker")


def workers() -> list[int]:
    """Workers' processes below this one."""
    return [one for one in children(os.getpid()) if "spawn_main" in command_of(one)]


def test_the_documentation_says_after_how_many() -> None:
    text = (Path(__file__).parents[2] / "docs/sweeps.md").read_text("utf-8")
    assert 2 * cluster.DEATHS == 10
    assert "given up after ten" in text
