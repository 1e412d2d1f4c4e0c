"""The guard beside a detector: how it ended, what it printed, what it left behind. No world is needed."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.evaluation import guard

PYTHON = [sys.executable, "-I", "-S", "-c"]


def guarded(*argv, limit=30.0, keep=1_000_000, stop="", tty=False):
    settings = {"limit": limit, "keep": keep, "stop": stop, "tty": tty, "room": False}
    done = subprocess.run(
        [sys.executable, "-I", "-S", guard.__file__, *argv],
        input=json.dumps(settings).encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    return {**report, **{name: base64.b64decode(report[name]).decode() for name in ("stdout", "stderr")}}


def ended(report):
    return report["ending"], report["status"], report["left"]


def test_a_program_that_ends():
    report = guarded(*PYTHON, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(35)")
    assert ended(report) == ("done", 35, 0)
    assert (report["stdout"], report["stderr"]) == ("out\n", "err\n")


def test_a_program_that_a_signal_ends():
    assert ended(guarded(*PYTHON, "import os; os.kill(os.getpid(), 11)")) == ("crashed", 139, 0)


def test_a_program_that_there_is_not():
    report = guarded("/no/such/program")
    assert ended(report) == ("not started", 127, 0)
    assert "No such file" in report["stderr"]


def test_a_program_that_never_ends_keeps_what_it_printed():
    report = guarded(*PYTHON, "import time; print('begun', flush=True); time.sleep(600)", limit=1.0)
    assert (report["ending"], report["stdout"]) == ("hung", "begun\n")


def test_a_program_that_ignores_being_asked_to_end():
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    report = guarded(*PYTHON, code, limit=1.0)
    assert (report["ending"], report["status"], report["stdout"]) == ("hung", 137, "deaf\n")


def test_a_program_that_prints_100_mb():
    report = guarded(
        *PYTHON, "import sys\nfor _ in range(100): sys.stdout.write('x' * 1_000_000)", keep=1_000_000
    )
    assert (report["ending"], len(report["stdout"])) == ("flooded", 1_000_000)


LEAVE = """
import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
print("gone", os.getpid(), flush=True)
"""


def test_processes_that_are_left_behind_are_counted_and_gone():
    began = time.monotonic()
    report = guarded(*PYTHON, LEAVE)
    assert ended(report) == ("done", 0, 3)
    assert time.monotonic() - began < 60  # and not 600
    me = int(report["stdout"].split()[1])
    assert not Path(f"/proc/{me}").exists()


@pytest.mark.parametrize("tty", [False, True])
def test_a_program_that_says_what_it_has_to_say_and_goes_on(tty):
    code = "import time\nfor n in range(10**6): print('round', n, flush=True); time.sleep(0.01)"
    report = guarded(*PYTHON, code, stop=r"round 5\b", tty=tty)
    assert report["ending"] == "stopped"
    assert "round 5" in report["stdout"]


def test_a_terminal():
    ask = "import os, sys; on = sys.stdout.isatty(); print(on, os.get_terminal_size(1).columns if on else 0)"
    assert guarded(*PYTHON, ask)["stdout"].split() == ["False", "0"]
    assert guarded(*PYTHON, ask, tty=True)["stdout"].split() == ["True", "120"]
