"""Whatever ends a run, the machine is left as it was, and what was recorded stays readable."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED, Done
from tests.meddling import descendants

pytestmark = pytest.mark.world
UNSHARE = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-Urm")
Run = Callable[..., Done]


def processes() -> set[int]:
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}  # noqa: PTH208


def machine() -> tuple[str, str, list[str]]:
    """Mounts, interfaces and named namespaces of the host."""
    links = Path("/proc/net/dev").read_text().splitlines()
    named = Path("/run/netns")
    return (
        Path("/proc/self/mounts").read_text(),
        " ".join(line.split(":")[0].strip() for line in links[2:]),
        sorted(p.name for p in named.iterdir()) if named.is_dir() else [],
    )


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose command is under way; it must have ended when the block ends."""
    line = [TESTBED, "run", "twitter-facebook-block-2022-03", "--vantage", "mts", "--out", str(folder), "--"]
    program = " ".join(command)
    with subprocess.Popen(
        [*line, "sh", "-c", f"echo started; {program}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as run:  # fmt: skip
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "started\n"
            yield run
            run.wait(15)
        finally:
            run.kill()


def gone(pids: set[int], within: float = 5.0) -> set[int]:
    """Those of `pids` that still run after a while (a zombie waiting for its parent has ended)."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        left = {pid for pid in pids if _state(pid) not in ("", "Z")}
        if not left:
            return set()
        time.sleep(0.02)
    return left


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_an_ordinary_end(testbed: Run) -> None:
    before = machine()
    assert testbed("free-network", "--vantage", "mts", "--", "true").status == 0
    assert machine() == before


@pytest.mark.parametrize("victim", ["first process", "a process in the middle"])
def test_kill_9(tmp_path: Path, victim: str) -> None:
    before = machine()
    with running(tmp_path / "run", "sleep 60") as run:
        family = descendants(run.pid)
        assert len(family) > 5
        os.kill(run.pid if victim == "first process" else min(family), signal.SIGKILL)
        assert not gone(family)
    assert machine() == before


def test_ctrl_c(tmp_path: Path) -> None:
    """In a terminal, Ctrl-C goes to the whole foreground group: the program and all of us."""
    before = machine()
    with running(tmp_path / "run", "curl -s -o /dev/null https://twitter.com/; sleep 60") as run:
        family = descendants(run.pid)
        time.sleep(0.5)
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=15)
        assert not gone(family)
    assert run.returncode in (130, 128 + signal.SIGINT)
    assert "Traceback" not in err
    assert machine() == before
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["rules_fired"]["mts/tspu-mts/social-reset"] > 0
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert any(event["kind"] == "match" for event in events)


def test_terminated_while_measuring(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    line = [TESTBED, "run", "twitter-throttling-2021", "--vantage", "mts", "--out", str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        results = folder / "results.jsonl"
        while not (results.exists() and results.stat().st_size):
            time.sleep(0.02)
            assert run.poll() is None
        family = descendants(run.pid)
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=15)
    assert run.returncode == 143
    assert "Traceback" not in err
    assert not gone(family)
    assert json.loads((folder / "summary.json").read_text())["problems"] == ["interrupted"]
    assert [json.loads(row) for row in results.read_text().splitlines()]


@pytest.mark.skipif(not shutil.which("unshare"), reason="missing program: unshare")
def test_a_full_disk(tmp_path: Path) -> None:
    """A small tmpfs, mounted in namespaces of the test's own, fills up in the middle of a run."""
    small = tmp_path / "small"
    small.mkdir()
    fill = f"dd if=/dev/zero of={small}/fill bs=4k 2>/dev/null; curl -s -m 5 https://twitter.com/; true"
    script = (
        f"mount -t tmpfs -o size=2m none {small} && "
        f"{TESTBED} run twitter-facebook-block-2022-03 --vantage mts --out {small}/run -- sh -c '{fill}'; "
        f"status=$?; cat {small}/run/scenario.json >/dev/null && exit $status"
    )
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = [TESTBED, "run", "free-network", "--out", str(tmp_path / "file" / "run"), "--", "true"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["free-netwrk", "--", "true"], 2, ["free-network"]),
        (["free-network", "--vantage", "mst", "--", "true"], 2, ["mst", "mts"]),
        (["free-network", "--phase", "fre", "--", "true"], 2, ["fre", "free"]),
        (["free-network", "--vantage", "mts", "--", "crul"], 127, ["crul", "curl"]),
        (["free-network", "--vantage", "mts", "--", "/etc/passwd"], 126, ["/etc/passwd"]),
        (["free-network", "--vantage", "mts", "--", "sh", "-c", "exit 42"], 42, []),
        (["free-network", "--vantage", "mts", "--", "sh", "-c", "kill -SEGV $$"], 139, []),
    ],
)
def test_wrong_names_and_exit_statuses(testbed: Run, args: list[str], status: int, words: list[str]) -> None:
    done = testbed(*args)
    assert done.status == status, done.err
    assert all(word in done.err for word in words)
    assert "Traceback" not in done.err


@pytest.mark.skipif(not shutil.which("unshare"), reason="missing program: unshare")
@pytest.mark.parametrize(
    ("program", "status", "printed"),
    [("nft", 4, "apt-get install nftables"), ("ip", 0, "control: https://vk.com/ ok")],
)
def test_only_the_programs_that_a_run_needs_are_missed(
    tmp_path: Path, program: str, status: int, printed: str
) -> None:
    """The program is hidden behind /dev/null, in a mount namespace of the test's own. Worlds need no `ip`."""
    place = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert place
    hidden = Path(place).resolve()
    run = f"{TESTBED} run twitter-facebook-block-2022-03 --vantage mts --out {tmp_path}/run -- true"
    script = f"mount --bind /dev/null {hidden} && {run}"
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    assert printed in done.stderr
    assert "Traceback" not in done.stderr
