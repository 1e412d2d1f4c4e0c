"""`testbed …` in the test's own process, for tests of what a command reads, prints and writes.

How the program itself starts, what it imports, and how it is ended is for tests with a real process.
"""

import io
import os
import subprocess
import sys
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from testbed.cli.main import main

PIPE_HOLDS = 65536  # bytes that Linux keeps of a writer whom nobody reads yet


class CommandDone(NamedTuple):
    """What a process of this command would have left, by the names of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_here(*args: str, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> CommandDone:
    """Run `testbed ARGS` in this folder; standard input is a pipe with these bytes."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with ExitStack() as stack:
        stack.enter_context(chdir(cwd))
        stack.enter_context(patch.dict(os.environ, env or {}))
        given = stack.enter_context(_pipe(stdin))
        for name, stream in (("stdin", given), ("stdout", out), ("stderr", err)):
            stack.enter_context(patch.object(sys, name, stream))
        try:
            main(args)
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
    return CommandDone(status, out.buffer.getvalue(), err.buffer.getvalue())


def run_here_as_text(
    *args: str, cwd: Path, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """The same, with nothing at standard input and text at the others."""
    done = run_here(*args, cwd=cwd, env=env)
    texts = (done.stdout.decode(), done.stderr.decode())
    return subprocess.CompletedProcess(["testbed", *args], done.returncode, *texts)


def _pipe(data: bytes) -> io.TextIOWrapper:
    """The reading end of a pipe that holds these bytes and has no writer any more."""
    assert len(data) <= PIPE_HOLDS
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(data)
    return os.fdopen(reading, encoding="utf-8")
