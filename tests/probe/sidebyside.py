"""Several `testbed probe …` at the same time, as processes that one with the imports done forks.

python -m tests.probe.sidebyside, the argument lists as JSON at its standard input; what they print, and how
they end, as JSON at its standard output.
"""

import json
import os
import pkgutil
import sys
import tempfile
from importlib import import_module
from typing import IO, NamedTuple

from testbed.cli.main import main

PACKAGES = ("testbed.probe", "testbed.report", "testbed.vantage")


class LookDone(NamedTuple):
    """How one of them ended."""

    status: int
    out: str
    err: str


def start(args: list[str], out: IO[bytes], err: IO[bytes]) -> int:
    """The process id of one that runs."""
    pid = os.fork()
    if pid:
        return pid
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    status = 70
    try:
        main(["probe", *args])
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def probe_all(asked: list[list[str]]) -> list[LookDone]:
    """Run them all at once."""
    for name in PACKAGES:
        for module in pkgutil.walk_packages(import_module(name).__path__, f"{name}."):
            import_module(module.name)
    running = []
    for args in asked:
        streams = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        running.append((start(args, *streams), *streams))
    done = []
    for pid, *streams in running:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for stream in streams:
            stream.seek(0)
        done.append(LookDone(status, *(stream.read().decode() for stream in streams)))
    return done


if __name__ == "__main__":
    print(json.dumps(probe_all(json.load(sys.stdin))))
