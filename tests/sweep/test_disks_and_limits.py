"""Full disks, sweeps that are too long, runs that hang, and scenarios and libraries that are not the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from testbed.errors import Exit, UnsupportedError
from testbed.sweep.onerun import answered
from testbed.sweep.sweepfile import load_sweep
from testbed.sweep.sweepfolder import sweep_view
from testbed.sweep.warmrunner import WarmRunner
from tests.sweep.clusterparts import children, command_of, kept, sweep_words, wait_for
from tests.sweep.test_cluster import RUNS, expected, spec, trials

__all__ = ["expected", "spec"]  # fixtures
MANY = "{scenarios: [free-network], vantages: [mts], seeds: 10000000}"


def test_ten_million_runs_are_made_when_they_are_confirmed_by_their_number(tmp_path: Path) -> None:
    file, out = tmp_path / "many.yaml", tmp_path / "swept"
    file.write_text(MANY, "utf-8")
    words = sweep_words(file, out, "--core", "--local", "1")
    done = subprocess.run([*words, "--confirm", "1000000"], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.INPUT, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"testbed: {file}: 10000000 runs, ")
    assert "about " in line
    assert " GB at most; if that is meant, give --confirm 10000000" in line
    first = kept(out)
    assert first <= 20

    with subprocess.Popen([*words, "--confirm", "10000000"], stderr=subprocess.PIPE) as begun:
        wait_for(lambda: kept(out) >= first + 50 or begun.poll() is not None, "a run")
        going_on = begun.poll() is None
        begun.kill()
    assert going_on


@pytest.mark.world
def test_a_full_disk_is_named_and_with_more_room_the_same_command_goes_on(
    spec: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    """The disk is a small one of its own, in another mount namespace."""
    disk = tmp_path / "disk"
    disk.mkdir()
    out = disk / "swept"
    sweep = " ".join(sweep_words(spec, out, "--core", "--local", "1"))
    script = f"""
        mount -t tmpfs -o size=10m none {disk}
        head -c {10 * 2**20 - 40 * 2**10} /dev/zero >{disk}/others
        {sweep} 2>{tmp_path}/first; echo $? >{tmp_path}/status
        rm {disk}/others
        {sweep} 2>{tmp_path}/second; echo $? >>{tmp_path}/status
        cp -r {out} {tmp_path}/copy
    """
    subprocess.run(["unshare", "-Urm", "sh", "-c", script], check=True, capture_output=True)
    first = (tmp_path / "first").read_text()
    assert (tmp_path / "status").read_text().split() == [str(int(Exit.INVALID)), "0"], first
    assert "No space left on device" in first.splitlines()[-1]
    assert str(out) in first.splitlines()[-1]
    assert "Traceback" not in first
    assert trials(tmp_path / "copy") == expected
    assert f"{RUNS} of {RUNS} runs" in (tmp_path / "second").read_text()


def test_a_worker_with_another_version_of_a_scenario(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    text = (Path(__file__).parents[2] / "scenarios/free-network.yaml").read_text("utf-8")
    own.write_text(text, "utf-8")
    file = tmp_path / "sweep.yaml"
    file.write_text("{scenarios: [own.yaml], vantages: [mts]}", "utf-8")
    plan = load_sweep(file, core=True)
    own.write_text(text.replace("www.facebook.com", "www.bbc.com"), "utf-8")
    answer = answered(plan.run(0), plan.spec.settings, 1, "here")
    assert answer.status == Exit.INPUT
    assert f"{own}: it differs from the one with which the sweep began" in answer.message


@pytest.mark.world
def test_a_run_that_hangs_is_ended_with_its_world(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "{scenarios: [free-network], vantages: [mts], detectors: ['sleep 100 {target}']}", "utf-8"
    )
    plan = load_sweep(file, core=False)
    runner = WarmRunner("here", longest=1.0)
    try:
        answer = runner.run(plan.run(0), plan.spec.settings, 1)
        (warm,) = [pid for pid in children(pid_of_this()) if "warmrunner" in command_of(pid)]
        wait_for(lambda: not children(warm), "the end of its world")
    finally:
        runner.close()
    assert answer.swept.lab_error == "it did not end within 1 s"


def pid_of_this() -> int:
    return int(Path("/proc/self").resolve().name)


def test_without_pyarrow_or_duckdb(
    spec: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spec.parent / "made"
    assert expected
    for missing in ("pyarrow", "duckdb"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, missing, None)
            without.setitem(sys.modules, f"{missing}.parquet", None)
            with pytest.raises(UnsupportedError) as caught:
                sweep_view(made)
            assert (
                str(caught.value) == f"{missing} is not installed; get it: pip install 'runet-testbed[data]'"
            )
