"""What dies under a sweep, and what does not fit: nothing that was made is lost, and the rest is one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from testbed import __version__
from testbed.errors import Exit
from testbed.sweep.cluster import local_cluster
from testbed.sweep.onerun import answered
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepfolder import SweepFolder, part_of
from tests.sweep.clusterparts import (
    another_dask,
    children,
    command_of,
    kept,
    scheduler,
    sweep_words,
    trials,
    wait_for,
    worker,
)

RUNS = 200
SPEC = """
scenarios: [twitter-facebook-block-2022-03]
vantages: [mts, rostelecom]
strategies: [low-ttl, segments:name]
seeds: 50
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spec") / "sweep.yaml"
    file.write_text(SPEC, "utf-8")
    return file


@pytest.fixture(scope="module")
def expected(spec: Path) -> dict[str, str]:
    """The table of the whole sweep, made here, run by run."""
    plan = load_sweep(spec, core=True)
    folder = SweepFolder.open(spec.parent / "made", plan)
    for number in folder.missing():
        folder.keep(part_of(plan, number), answered(plan.run(number), plan.spec.settings, 1, "here").swept)
    return trials(folder.folder)


def test_a_worker_that_is_killed_loses_nothing(spec: Path, expected: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "swept"
    words = sweep_words(spec, out, "--core", "--local", "2")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as begun:
        wait_for(lambda: kept(out) >= 20 or begun.poll() is not None, "a run")
        workers = [pid for pid in children(begun.pid) if "spawn_main" in command_of(pid)]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        assert kept(out) < RUNS
        said = begun.communicate()[1]
    assert begun.returncode == 0, said
    assert trials(out) == expected


def test_after_the_end_of_a_scheduler_the_same_command_goes_on(
    spec: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "swept"
    with scheduler(tmp_path) as (process, address), worker(address, tmp_path):
        words = sweep_words(spec, out, "--core", "--scheduler", address)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as begun:
            wait_for(lambda: kept(out) >= 20 or begun.poll() is not None, "a run")
            process.kill()
            said = begun.communicate()[1]
    assert begun.returncode == Exit.INVALID, said
    assert "the scheduler has gone" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert 20 <= kept(out) < RUNS

    with scheduler(tmp_path) as (_, address), worker(address, tmp_path):
        words = sweep_words(spec, out, "--core", "--scheduler", address)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert trials(out) == expected


def refused(spec: Path, out: Path, address: str) -> str:
    """The line with which a sweep ends before it has begun."""
    words = sweep_words(spec, out, "--core", "--scheduler", address)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.INPUT, done.stderr
    (line,) = done.stderr.splitlines()
    assert kept(out) == 0
    return line


def test_a_scheduler_with_another_dask(spec: Path, tmp_path: Path) -> None:
    with scheduler(tmp_path, **another_dask(tmp_path)) as (_, address):
        line = refused(spec, tmp_path / "o", address)
    assert "the scheduler has Dask 2024.1.0, and this is" in line
    assert "install the same on both sides" in line


def test_a_worker_with_another_testbed_and_a_scheduler_without_workers(spec: Path, tmp_path: Path) -> None:
    other = (
        "import testbed; testbed.__version__ = '9.0'; from distributed.cli.dask_worker import main; main()"
    )
    with scheduler(tmp_path) as (_, address):
        assert f"{address} has no worker; start some: dask worker" in refused(spec, tmp_path / "o", address)
        with worker(address, tmp_path, program=(sys.executable, "-c", other)):
            line = refused(spec, tmp_path / "o", address)
    assert f"has testbed 9.0, and this is {__version__}; install the same there" in line


def test_a_cluster_of_this_machine_is_not_seen_from_outside() -> None:
    with local_cluster(1):
        own = psutil.Process()
        everyone = [own, *own.children(recursive=True)]
        heard = [each for one in everyone for each in one.net_connections("inet") if each.status == "LISTEN"]
    assert {one.laddr.ip for one in heard} == {"127.0.0.1"}
