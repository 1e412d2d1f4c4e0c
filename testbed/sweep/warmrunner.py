"""A process that has imported everything and has no threads: it forks a child for each run, with its world.

It reads a line of JSON for each run and answers with one. Its end, and that of who started it, is the end of
the run: a worker that dies leaves no world behind.
"""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import Any, Final

from testbed.sweep.onerun import RunAnswer, answered
from testbed.sweep.sweepspec import RunSettings, SweepRun
from testbed.sweep.sweeptables import SweptRun

LONGEST: Final = 1800.0  # seconds for a run, after which it hangs; our choice
_CUT: Final = "its process ended with status {}"


class WarmRunner:
    """The other side of such a process."""

    def __init__(self, worker: str, longest: float = LONGEST) -> None:
        """`longest`: seconds that a run may take."""
        self._worker, self._longest = worker, longest
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, run: SweepRun, settings: RunSettings, attempt: int) -> RunAnswer:
        """Have a run made. What goes wrong with the process is an error of the laboratory."""
        asked = [run.to_json(), asdict(settings), attempt, self._worker]
        for fresh in (False, True):
            process = self._started(fresh=fresh)
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if line:
                    return _answer(json.loads(line))
            except (BrokenPipeError, ValueError):
                pass
        return RunAnswer(SweptRun(run.number, (), "its process was killed", attempt, worker=self._worker))

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process.wait()
            self._process = None

    def _started(self, *, fresh: bool) -> "subprocess.Popen[bytes]":
        if self._process is not None and (fresh or self._process.poll() is not None):
            self._process.kill()
            self.close()
        if self._process is None:
            words = [sys.executable, "-m", __name__, str(self._longest)]
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        return self._process


def _answer(values: dict[str, Any]) -> RunAnswer:
    return RunAnswer(**{**values, "swept": SweptRun.from_json(values["swept"])})


def _child(asked: list[Any], out: int) -> None:
    """Make a run and write the answer; never returns."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        run, settings = SweepRun.from_json(asked[0]), RunSettings(**asked[1])
        made = answered(run, settings, asked[2], asked[3])
        with os.fdopen(out, "wb") as pipe:
            pipe.write(json.dumps(asdict(made)).encode())
        status = 0
    finally:
        os._exit(status)


def _made(asked: list[Any], source: int, longest: float) -> dict[str, Any] | None:
    """The answer to one question; None if who asked is gone."""
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(here)
        _child(asked, there)
    os.close(there)
    data, why = b"", ""
    waiting = select.poll()
    waiting.register(here, select.POLLIN)
    waiting.register(source, select.POLLIN)
    while True:
        ready = dict(waiting.poll(1000 * longest))
        if not ready:
            why = f"it did not end within {longest:g} s"
        elif source in ready:  # nobody asks twice: it was closed
            os.kill(pid, signal.SIGKILL)
            return None
        elif piece := os.read(here, 1 << 20):
            data += piece
            continue
        break
    os.close(here)
    if why:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0 and not why:
        found: dict[str, Any] = json.loads(data)
        return found
    lost = SweptRun(asked[0]["number"], (), why or _CUT.format(status), asked[2], worker=asked[3])
    return asdict(RunAnswer(lost))


def main() -> None:
    """Answer until standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it decides
    source, out = os.dup(0), os.dup(1)
    buffer = b""
    while True:
        line, newline, rest = buffer.partition(b"\n")
        if not newline:
            piece = os.read(source, 1 << 16)
            if not piece:
                return
            buffer += piece
            continue
        buffer = rest
        made = _made(json.loads(line), source, float(sys.argv[1]))
        if made is None:
            return
        answer = json.dumps(made).encode() + b"\n"
        while answer:
            answer = answer[os.write(out, answer) :]


if __name__ == "__main__":
    main()
