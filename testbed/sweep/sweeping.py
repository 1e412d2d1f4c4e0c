"""Making a sweep's runs on a cluster: a few for each worker are under way; each is kept when it is made."""

import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, Queue
from typing import Any, Final

from testbed.dataset.exportfolder import ExportFolder
from testbed.errors import Exit, InputError, InvalidRunError
from testbed.sweep.cluster import bring_back, workers_of
from testbed.sweep.onerun import RunAnswer
from testbed.sweep.sweepfolder import SweepFolder, part_of
from testbed.sweep.sweepspec import RunSettings
from testbed.sweep.sweeptables import SweptRun, size_of
from testbed.sweep.workerside import SweepTask, do_task

DEPTH: Final = 2  # tasks for each worker: one is made, the next is there already
CORE_RUNS: Final = 10  # of a task without worlds, so that Dask's share of the time is small; our choice
_LOOK: Final = 2.0  # seconds between two looks at the workers; our choice
_ALONE: Final = 60.0  # seconds without any worker, after which the sweep ends; our choice
_Tell = Callable[[int, int, int, float | None], None]  # done, total, workers, seconds that are left
DIED: Final = "its worker died, again and again"
_Try = tuple[int, int]  # the number of a run, and of the attempt


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sweep will take, by its first runs."""

    left: int  # runs
    seconds: float
    size: int  # bytes, at most: Parquet packs
    workers: int


@dataclass(slots=True)
class Sweeping:
    """A sweep that is being made."""

    folder: SweepFolder
    client: Any  # of Dask
    settings: RunSettings
    export: ExportFolder | None = None  # where flows go, if they are asked for
    task: Callable[[SweepTask], Sequence[RunAnswer]] = do_task  # what a worker does
    _waiting: Iterator[int] = field(init=False)
    _again: deque[_Try] = field(default_factory=deque)
    _suspects: deque[_Try] = field(
        default_factory=deque
    )  # workers died under their task: made alone, at last
    _alone: Any = None  # the task of such a run
    _under_way: dict[Any, tuple[_Try, ...]] = field(default_factory=dict)
    _ended: "Queue[Any]" = field(default_factory=Queue)
    _full: dict[str, str] = field(default_factory=dict)  # worker whose disk is full -> what it says
    _workers: list[str] = field(default_factory=list)
    _looked: float = 0.0
    _seen: float = field(default_factory=time.monotonic)  # when there was a worker

    def __post_init__(self) -> None:
        self._waiting = self.folder.missing()

    def estimate(self) -> Estimate | None:
        """Make the first runs, and conclude. None if nothing is missing. Errors: those of `make`."""
        self._look()
        began = time.monotonic()
        before, size = self.folder.made, 0
        self._hand_out(1)
        while self._under_way or self._again or self._suspects:
            self._hand_out(0)
            size += size_of([one.swept for one in self._next()])
        made, took = self.folder.made - before, time.monotonic() - began
        left = len(self.folder.plan) - self.folder.made
        if not made:
            return None
        workers = max(1, len(self._workers))
        return Estimate(left, took / made * left / workers, size // made * left, workers)

    def make(self, tell: _Tell) -> None:
        """Make every run that is missing.

        Errors: InputError for what a worker cannot use; InvalidRunError if no worker is left, or none with
        room on its disk; OSError that names the file if there is none here. What is made is kept.
        """
        total, before, began = len(self.folder.plan), self.folder.made, time.monotonic()
        tell(before, total, len(self._workers), None)
        while True:
            self._look()
            self._hand_out(DEPTH * max(1, len(self._usable())))
            if not self._under_way:
                break
            self._next()
            done = self.folder.made
            took = time.monotonic() - began
            left = took / (done - before) * (total - done) if done > before else None
            tell(done, total, len(self._workers), left)
        self.folder.finish()
        if self.export:
            self.export.finish()

    def _usable(self) -> list[str]:
        return [one for one in self._workers if one not in self._full]

    def _look(self) -> None:
        """Which workers are there."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked, self._workers = now, workers_of(self.client)
        if self.client.status != "running":
            raise InvalidRunError(
                "the scheduler has gone; what is made is kept, and the same command goes on"
            )
        bring_back(self.client, len(self._workers))
        if self._workers:
            self._seen = now
        elif now - self._seen > _ALONE:
            raise InvalidRunError(
                f"no worker for {_ALONE:g} s; what is made is kept, and the same command goes on"
            )

    def _hand_out(self, most: int) -> None:
        """Give tasks to the cluster until so many are under way: what failed first, suspects alone, last."""
        size = CORE_RUNS if self.settings.core else 1
        while len(self._under_way) < max(most, bool(self._again)):
            tries = [self._again.popleft() for _ in range(min(size, len(self._again)))]
            tries += [(number, 1) for number in islice(self._waiting, size - len(tries))]
            if not tries:
                break
            self._submit(tries)
        if self._suspects and not self._under_way:
            self._alone = self._submit([self._suspects.popleft()])

    def _submit(self, tries: Sequence[_Try]) -> Any:
        plan = self.folder.plan
        task = SweepTask(plan.version, self.settings, tuple((plan.run(n), attempt) for n, attempt in tries))
        only = {"workers": self._usable(), "allow_other_workers": False} if self._full else {}
        future = self.client.submit(self.task, task, pure=False, **only)
        self._under_way[future] = tuple(tries)
        future.add_done_callback(self._ended.put)
        return future

    def _next(self) -> list[RunAnswer]:
        """Wait for a task, a while, and keep what came of it."""
        try:
            future = self._ended.get(timeout=_LOOK)
        except Empty:
            self._look()
            return []
        tries = self._under_way.pop(future)
        if future.status != "finished":
            return self._died(future, tries)
        answers = list(future.result())
        host = future.client.who_has([future]) if any(one.full for one in answers) else {}
        for answer, (number, attempt) in zip(answers, tries, strict=True):
            self._judge(answer, number, attempt, next(iter(host.values()), ()))
        return answers

    def _judge(self, answer: RunAnswer, number: int, attempt: int, places: tuple[str, ...]) -> None:
        if answer.full:
            self._full |= dict.fromkeys(places, answer.swept.lab_error)
            self._again.append((number, attempt))
            if not self._usable():
                where = ", ".join(sorted(self._full))
                raise InvalidRunError(
                    f"the disk of every worker is full ({where}); make room: what is made is kept, and the "
                    "same command goes on"
                )
        elif answer.status != Exit.OK:
            raise InputError.at("", answer.message)
        elif answer.swept.lab_error and attempt < self.folder.plan.spec.attempts:
            self._again.append((number, attempt + 1))
        else:
            self._keep(number, answer)

    def _keep(self, number: int, answer: RunAnswer) -> None:
        if self.export and answer.flows:
            files = {table: b64decode(data) for table, data in answer.flows.items()}
            self.export.keep(number, self.folder.plan.run(number).seed, files)
        self.folder.keep(part_of(self.folder.plan, number), answer.swept)

    def _died(self, future: Any, tries: Sequence[_Try]) -> list[RunAnswer]:
        """A task under which workers died, again and again: one of its runs may be why, or one beside it.

        Each is made alone, at last; one that was alone is given up. Errors: those of `make`, for a task that
        ended in another way.
        """
        if future.status in ("cancelled", "lost"):
            raise InvalidRunError(
                "the scheduler has gone; what is made is kept, and the same command goes on"
            )
        error = future.exception()
        if isinstance(error, ImportError):
            raise InputError.at("--scheduler", f"a worker lacks something: {error}", "install testbed there")
        if type(error).__name__ != "KilledWorker":
            raise error
        if future is not self._alone:
            self._suspects += tries
            return []
        ((number, attempt),) = tries
        answer = RunAnswer(SweptRun(number, (), DIED, attempt))
        self._keep(number, answer)
        return [answer]
