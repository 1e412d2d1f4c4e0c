"""A terminal as a subscriber: a shell in the vantage on a pty of its own, for a WebSocket."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.errors import InvalidRunError
from testbed.run import requests, worlds
from testbed.run.control import Line
from testbed.vantage.joined import helper
from testbed.vantage.seclusion import Seclusion
from testbed.vantage.shell import shell_argv

_CHUNK: Final = 32_768
LARGEST: Final = (500, 200)  # columns, rows
# A shell's own controlling terminal, taken in the new session before the helper starts.
_TAKE: Final = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class StudentShell:
    """The shell of somebody who must not see what the user has who opened the world."""

    argv: list[str]
    variables: Mapping[str, str]
    seclusion: Seclusion


@dataclass(slots=True)
class SubscriberTerminal:
    """A shell that runs in a vantage, and the pty's end from which it is driven."""

    master: int
    process: "subprocess.Popen[bytes]"
    line: Line

    @classmethod
    def open(
        cls,
        world: str,
        vantage: str,
        folder: Path,
        columns: int,
        rows: int,
        student: StudentShell | None = None,
    ) -> "SubscriberTerminal":
        """Start it, with what this user has, or a `student` may have.

        Errors: InputError for a world or vantage that does not exist, InvalidRunError.
        """
        _, line = worlds.connect(world)
        try:
            secluded = student.seclusion if student else None
            place, phase = requests.begin(line, vantage, ["(console) shell"], secluded)
            argv = student.argv if student else _own_shell(world, phase, vantage, folder)
            refusal = os.memfd_create("refusal")
            master, slave = pty.openpty()
            try:
                resize(master, columns, rows)
                os.set_blocking(master, False)
                command = [sys.executable, "-I", "-S", "-c", _TAKE, *helper(place, refusal, argv)]
                process = subprocess.Popen(
                    command, stdin=slave, stdout=slave, stderr=slave, pass_fds=[refusal], close_fds=True,
                    start_new_session=True, env=_environment(student), cwd="/" if student else _home(),
                )  # fmt: skip
            except OSError as error:
                os.close(master)
                raise InvalidRunError(f"a shell cannot be started: {error}") from error
            finally:
                os.close(slave)
                os.close(refusal)
        except BaseException:
            line.close()
            raise
        return cls(master, process, line)

    async def read(self) -> bytes:
        """What the shell writes next; b"" at its end."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self.master, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self.master)
        try:
            return os.read(self.master, _CHUNK)
        except OSError:  # EIO: nobody has the other end any more
            return b""

    def write(self, data: bytes) -> None:
        """What was typed. A shell that reads nothing loses what does not fit its pty."""
        with suppress(OSError):
            os.write(self.master, data)

    def close(self) -> None:
        """End the shell with what runs in it, but for what ignores that its terminal hangs up (nohup)."""
        os.close(self.master)  # hangs up: the kernel sends SIGHUP
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        with suppress(InvalidRunError, OSError):
            self.line.ask({"status": self.process.returncode})
        self.line.close()


def resize(master: int, columns: int, rows: int) -> None:
    """Tell the shell how large the terminal is."""
    columns, rows = (max(2, min(value, most)) for value, most in zip((columns, rows), LARGEST, strict=True))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _own_shell(world: str, phase: str, vantage: str, folder: Path) -> list[str]:
    scratch = folder / "console" / vantage
    scratch.mkdir(parents=True, exist_ok=True)
    return shell_argv(world, phase, vantage, scratch)


def _environment(student: StudentShell | None) -> dict[str, str]:
    own = student.variables if student else os.environ
    return {**own, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _home() -> str:
    home = os.path.expanduser("~")  # noqa: PTH111 (Path.home() raises where there is none)
    return home if Path(home).is_dir() else "/"
