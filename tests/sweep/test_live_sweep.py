"""Sweeps in worlds: what the laboratory spoils is made again, and what a detector says is not."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from testbed.errors import Exit
from testbed.sweep.sweepfolder import sweep_view
from tests.sweep.clusterparts import children, command_of, kept, scheduler, sweep_words, wait_for, worker

pytestmark = pytest.mark.world
# It says of everything that it is blocked.
WRONG = "{scenarios: [free-network], vantages: [mts], detectors: ['false {target}'], seeds: 2}"
RIGHT = "{scenarios: [linkedin-ban-2016], vantages: [mts], seeds: 3}"


def run_of(pid: int) -> int | None:
    """The process that makes a run, somewhere below this one: a fork of a worker's warm process."""
    warm = [one for one in children(pid) if "testbed.sweep.warmrunner" in command_of(one)]
    return next((one for parent in warm for one in children(parent) if one in warm), None)


def rows(folder: Path) -> list[tuple[object, ...]]:
    return sweep_view(folder).sql(
        "SELECT run, vantage, target, role, expected, said, seen, standing, acted FROM trials ORDER BY ALL"
    ).fetchall()  # fmt: skip


def test_a_spoiled_run_is_tried_again_and_a_wrong_answer_never_is(tmp_path: Path) -> None:
    """The process of the first run is killed, and then the worker of the second one."""
    file, out = tmp_path / "sweep.yaml", tmp_path / "swept"
    file.write_text(WRONG, "utf-8")
    words = sweep_words(file, out, "--local", "1")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as begun:
        wait_for(lambda: run_of(begun.pid), "a run")
        os.kill(run_of(begun.pid) or 0, signal.SIGKILL)
        wait_for(lambda: kept(out) == 1, "the first run")
        wait_for(lambda: run_of(begun.pid), "the second run")
        (lost,) = [one for one in children(begun.pid) if "spawn_main" in command_of(one)]
        os.kill(lost, signal.SIGKILL)
        said = begun.communicate()[1]
    assert begun.returncode == 0, said
    found = sweep_view(out)
    runs = found.sql("SELECT run, attempts, lab_error, trials > 0 FROM runs ORDER BY run").fetchall()
    assert runs == [(0, 2, "", True), (1, 1, "", True)]
    assert found.sql("SELECT DISTINCT standing FROM trials WHERE role = 'expectation'").fetchall() == [
        ("false alarm",)
    ]


@pytest.mark.slow
def test_a_worker_with_a_full_disk_leaves_its_runs_to_others(tmp_path: Path) -> None:
    file, out, small = tmp_path / "sweep.yaml", tmp_path / "swept", tmp_path / "small"
    file.write_text(RIGHT, "utf-8")
    small.mkdir()
    script = f'mount -t tmpfs -o size=64k none {small} && TMPDIR={small} exec "$@"'
    before = ("unshare", "-Urm", "sh", "-c", script, "sh")
    folders = [tmp_path / "a", tmp_path / "b"]
    for one in folders:
        one.mkdir()
    with scheduler(tmp_path) as (_, address), worker(address, folders[0], before):
        words = sweep_words(file, out, "--scheduler", address)
        alone = subprocess.run(words, capture_output=True, text=True, check=False)
        assert alone.returncode == Exit.INVALID
        assert "the disk of every worker is full (tcp://127.0.0.1:" in alone.stderr.splitlines()[-1]
        with worker(address, folders[1]) as good:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        makers = sweep_view(out).sql("SELECT DISTINCT split_part(worker, ':', -1), lab_error FROM runs")
        assert makers.fetchall() == [(str(good.pid), "")]


@pytest.mark.slow
def test_killed_and_gone_on_with_it_has_the_same_table(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(RIGHT, "utf-8")
    found = []
    for name in ("whole", "killed"):
        out = tmp_path / name
        if name == "killed":
            with subprocess.Popen(sweep_words(file, out, "--local", "1"), stderr=subprocess.DEVNULL) as begun:
                wait_for(lambda: kept(out) == 1 and run_of(begun.pid), "a run")  # noqa: B023
                workers = children(begun.pid)
                begun.kill()
            wait_for(lambda: not any(map(command_of, workers)), "the end of its worlds")  # noqa: B023
        done = subprocess.run(
            sweep_words(file, out, "--local", "1"), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(rows(out))
    assert found[0] == found[1]
    assert len(found[0]) > 3
