"""A signal at any moment ends a run in order: it is never swallowed, never green, and leaves no process."""

import json
import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED

pytestmark = pytest.mark.world

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
LONGEST = 15.0  # seconds from the signal to the end of the run
MARK = "TESTBED_TEST_RUN"
OURS = str(Path(__file__).parents[2] / "testbed/cli/main.py")  # in a traceback from the command line on


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A run in a session of its own; no process with its mark in the environment is left afterwards."""
    mark = uuid.uuid4().hex
    line = [TESTBED, "run", "free-network", "--vantage", "mts", "--out", str(folder), *command]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, MARK: mark}, cwd=folder.parent, preexec_fn=heeding,
    ) as run:  # fmt: skip
        try:
            yield run
        finally:
            run.kill()
    end = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(0.02)
    assert left == {}, "processes of the run are still there"


def heeding() -> None:
    """Whoever started the tests may ignore Ctrl-C, as a shell's `&` does."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def marked(mark: str) -> dict[int, str]:
    """Every process of the machine that runs and has the mark in its environment: number -> command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that a run of the probe takes here, at present."""
    begun = time.monotonic()
    with running(tmp_path_factory.mktemp("whole") / "run") as run:
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    return time.monotonic() - begun


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", [("--", "sleep", "60"), ()], ids=["command", "probe"])
@pytest.mark.parametrize("times", [2, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_at_a_random_moment_of_the_start(
    tmp_path: Path, number: signal.Signals, command: tuple[str, ...], times: int, whole: float
) -> None:
    for attempt in range(times):
        folder, moment = tmp_path / str(attempt), random.uniform(0.0, 2.0 if command else whole / 4)
        with running(folder, *command) as run:
            time.sleep(moment)
            run.send_signal(number)
            out, err = run.communicate(timeout=LONGEST)
        ways = [128 + number, -number]
        if not folder.exists():
            ways.append(1)  # Python's own, where Ctrl-C meets its first milliseconds
        assert (moment, run.returncode) in [(moment, way) for way in ways], out + err
        assert OURS not in err, (moment, err)  # no traceback, but of Python's own first milliseconds
        if (folder / "summary.json").exists():
            summary = json.loads((folder / "summary.json").read_text())
            assert (summary["exit_status"], summary["valid"]) == (128 + number, False), moment


@pytest.mark.parametrize(
    ("number", "script", "printed"),
    [
        *((number, "trap 'echo heard; exit 9' INT TERM HUP", "heard\n") for number in SIGNALS),
        (signal.SIGTERM, "trap '' INT TERM HUP", ""),  # a command that ignores it is killed
    ],
)
def test_to_the_first_process_alone_while_a_command_works(
    tmp_path: Path, number: signal.Signals, script: str, printed: str
) -> None:
    """It is passed on to the command, and the run ends."""
    command = ("--", "sh", "-c", f"{script}; echo ready; while :; do sleep 0.05; done")
    with running(tmp_path / "run", *command) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(number)
        out, err = run.communicate(timeout=LONGEST)
    assert (out, run.returncode) == (printed, 128 + number), err
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["exit_status"] == 128 + number


def test_ctrl_c_in_a_terminal_is_the_commands_business(tmp_path: Path) -> None:
    """Its own answer to it counts, and the run goes on to its ordinary end."""
    mine, theirs = os.openpty()
    script = "trap 'echo caught' INT; echo ready; sleep 0.5 & wait; wait; exit 6"
    line = [
        TESTBED,
        "run",
        "free-network",
        "--vantage",
        "mts",
        "--out",
        str(tmp_path / "run"),
        "--",
        "sh",
        "-c",
    ]
    controlling = ["setsid", "--ctty", "--wait", *line, script]
    with subprocess.Popen(controlling, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        shown = ""
        while "ready" not in shown:
            shown += os.read(mine, 4096).decode()
        os.write(mine, b"\x03")
        try:
            while piece := os.read(mine, 4096):
                shown += piece.decode()
        except OSError:  # the terminal has gone with its last process
            pass
    os.close(mine)
    assert shown.count("caught") == 1
    assert run.returncode == 6, shown


def test_an_impatient_second_signal_does_not_disturb_the_end(tmp_path: Path) -> None:
    with running(tmp_path / "run", "--", "sh", "-c", "echo ready; sleep 60") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        for _ in range(5):
            run.send_signal(signal.SIGTERM)
            time.sleep(0.02)
        _, err = run.communicate(timeout=LONGEST)
    # One that comes while the program prints its last line, with everything written, may end it.
    assert run.returncode in (128 + signal.SIGTERM, -signal.SIGTERM), err
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["problems"], summary["exit_status"]) == (["interrupted"], 128 + signal.SIGTERM)
