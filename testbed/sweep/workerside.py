"""What a Dask worker does: runs, one after another. Those in worlds are made by a process beside it.

A worker has threads, and whoever builds a world must have none.
"""

import atexit
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from testbed import __version__
from testbed.errors import Exit
from testbed.sweep.onerun import RunAnswer, answered
from testbed.sweep.sweepspec import RunSettings, SweepRun
from testbed.sweep.sweeptables import SweptRun
from testbed.sweep.warmrunner import WarmRunner

_TURN = threading.Lock()  # one world at a time, however many threads the worker has


@dataclass(frozen=True, slots=True)
class SweepTask:
    """Runs for one worker, each with the number of its attempt."""

    version: str  # of the testbed that asks
    settings: RunSettings
    runs: tuple[tuple[SweepRun, int], ...]


def do_task(task: SweepTask) -> Sequence[RunAnswer]:
    """Make the runs. It never raises: a testbed of another version is an answer, too."""
    here = f"{socket.gethostname()}:{os.getpid()}"
    if task.version != __version__:
        message = f"worker {here}: it has testbed {__version__}, and this is {task.version}; install the same"
        return [RunAnswer(SweptRun(run.number, worker=here), Exit.INPUT, message) for run, _ in task.runs]
    with _TURN:
        if task.settings.core:
            return [answered(run, task.settings, attempt, here) for run, attempt in task.runs]
        return [_runner(here).run(run, task.settings, attempt) for run, attempt in task.runs]


@cache
def _runner(here: str) -> WarmRunner:
    made = WarmRunner(here)
    atexit.register(made.close)
    return made
