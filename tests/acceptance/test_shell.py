"""`testbed shell` in a real terminal."""

import os
import pty
import re
import select
import signal
import termios
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED

pytestmark = pytest.mark.world


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *argv: str, cwd: Path, shell: str = "/bin/bash") -> None:
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background have it ignored
            termios.tcsetwinsize(0, (24, 200))
            os.execvpe(argv[0], argv, {**os.environ, "SHELL": shell, "TERM": "dumb"})

    def expect(self, pattern: str, within: float = 15.0) -> re.Match[str]:
        """Read until the pattern appears; what came before it is forgotten."""
        end = time.monotonic() + within
        while not (found := re.search(pattern, self.seen)):
            if not select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode()
            except OSError:
                raise AssertionError(f"it ended: {self.seen!r}") from None
        self.seen = self.seen[found.end() :]
        return found

    def type(self, line: str) -> None:
        os.write(self.fd, f"{line}\n".encode())

    def status(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_the_prompt_says_where_one_is_and_ctrl_c_reaches_the_program_alone(tmp_path: Path) -> None:
    terminal = Terminal(TESTBED, "shell", "twitter-facebook-block-2022-03", "--vantage", "mts", cwd=tmp_path)
    prompt = r"\[mts · twitter-facebook-block-2022-03/block\] .* \$ "
    terminal.expect(prompt)
    terminal.type("curl -s -o /dev/null https://twitter.com/; echo status=$?")
    terminal.expect("status=35")
    terminal.expect(prompt)
    terminal.type("sleep 30")
    time.sleep(0.3)
    os.write(terminal.fd, b"\x03")
    terminal.expect(prompt)
    terminal.type("sleep 30 & jobs")
    terminal.expect(r"Running\s+sleep 30")
    terminal.type("exit 7")
    terminal.expect("social-reset")
    assert terminal.status() == 7


@pytest.mark.skipif(not Path("/bin/dash").exists(), reason="needs dash")
def test_dash_as_the_shell(tmp_path: Path) -> None:
    terminal = Terminal(TESTBED, "shell", "free-network", "--vantage", "mts", cwd=tmp_path, shell="/bin/dash")
    terminal.expect(r"\[mts · free-network/free\] \$ ")
    terminal.type("sleep 30")
    time.sleep(1)
    os.write(terminal.fd, b"\x03")
    terminal.expect(r"\] \$ ")
    terminal.type("exit 7")
    terminal.expect("recorded in")
    assert "tty" not in terminal.seen
    assert terminal.status() == 7
