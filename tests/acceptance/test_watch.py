"""`run --watch`: the verdict is the same, and Ctrl-C in the terminal ends run and view in order."""

import os
import pty
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED, Done

pytestmark = pytest.mark.world


def test_without_a_terminal_it_writes_lines_and_the_verdict_is_that_of_any_run(
    testbed: Callable[..., Done],
) -> None:
    watched = testbed("twitter-facebook-block-2022-03", "--vantage", "mts", "--watch")
    assert watched.status == 0, watched.out
    assert watched.summary["verdict"].startswith("as expected")
    lines = [line for line in watched.out.splitlines() if line.startswith("testbed: ")]
    fired = [line for line in lines if " fired" in line and "mts/tspu-mts/social-reset" in line]
    assert fired, watched.out
    assert "measured" in lines[-1]
    assert (watched.folder / "rates.jsonl").stat().st_size
    plain = testbed("free-network", "--vantage", "mts", "--", "true")
    assert not (plain.folder / "rates.jsonl").exists()  # nobody watched


def test_on_a_terminal_ctrl_c_ends_both_and_the_cursor_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    line = [TESTBED, "run", "free-network", "--vantage", "mts", "--watch", "--out", str(folder)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, *line])
    shown, pressed, end = b"", False, time.monotonic() + 120
    while time.monotonic() < end:
        if not pressed and b"vantage" in shown:  # the view is there
            os.write(terminal, b"\x03")
            pressed = True
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # nobody has it any more
                break
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert (pressed, status) in [(True, 130), (True, 0)], shown  # 0: it had come to its end before
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1
    assert b"Traceback" not in shown
