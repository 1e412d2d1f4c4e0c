"""The whole evaluation: units in processes of their own, as many at once as the machine can bear.

How many is measured: a world's own timer says whether the machine was too busy. After a busy unit there is
one less at once, after a calm one there is one more, up to `jobs`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from testbed import __version__
from testbed.detectors.recorded import TRIALS, saved_trials
from testbed.detectors.trials import Trial
from testbed.errors import Exit, InputError, UnsupportedError
from testbed.evaluation.spec import OPTIONS, EvaluationSpec, name_of, rounds, worlds_of
from testbed.model import Scenario
from testbed.parquet.planfile import begin_or_go_on
from testbed.scenario.loader import load
from testbed.scenario.tojson import digest_of
from testbed.world.pressure import Pressure

_TICK: Final = 0.25  # seconds between two looks at the units; our choice
_PATIENCE: Final = 15.0  # seconds that a unit has to close its world when it is interrupted; our choice
Tell = Callable[[int, int, int, float | None], None]  # done, total, units at once, seconds that are left


@dataclass(frozen=True, slots=True)
class UnitKey:
    """Which unit: the scenario's number in the spec, the number of its group of phases."""

    scenario: int
    group: int

    @property
    def log(self) -> str:
        """Its file in the evaluation's folder."""
        return f"logs/unit-{self.scenario}-{self.group}.log"


def plan_of(spec: EvaluationSpec, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """What plan.json says. An evaluation goes on only with the same, of the same scenarios and version."""
    return {"version": __version__, **spec.to_json(), "digests": [digest_of(one) for one in scenarios]}


@dataclass(slots=True)
class Evaluation:
    """An evaluation in its folder, begun or to be gone on with."""

    folder: Path
    spec: EvaluationSpec
    scenarios: tuple[Scenario, ...]
    expected: tuple[Trial, ...] = field(init=False)  # every trial, without verdicts
    _read: int = 0  # bytes of trials.jsonl
    _recorded: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.expected = tuple(
            trial
            for scenario in self.scenarios
            for phase in scenario.phases
            for one in rounds(self.spec, scenario, phase)
            for trial in one.trials
        )

    @classmethod
    def open(cls, spec: EvaluationSpec, out: Path | None) -> "Evaluation":
        """Begin in `out` (new or empty; None: evaluations/<detector>-<time>), or go on with what is in it.

        Errors: InputError for a folder of another evaluation, a scenario that does not exist, or if there is
        nothing that could be given to the detector.
        """
        scenarios = tuple(load(name) for name in spec.scenarios)
        folder = out or Path("evaluations") / f"{name_of(spec)}-{time.strftime('%Y%m%d-%H%M%S')}"
        made = cls(folder.resolve(), spec, scenarios)
        if not made.expected:
            remedy = f"targets have to be one of: {', '.join(sorted(_schemes(spec)))}"
            raise InputError.at("--scenarios", "no target of them can be given to this detector", remedy)
        made.prepare()
        return made

    def prepare(self) -> None:
        """Make the folder, or check that it is of the same evaluation."""
        try:
            begin_or_go_on(self.folder, plan_of(self.spec, self.scenarios), "--out", OPTIONS)
            for part in ("raw", "worlds", "logs"):
                (self.folder / part).mkdir(exist_ok=True)
        except OSError as error:
            raise InputError.at("--out", f"{self.folder}: {error}", "name another folder") from error

    def run(self, jobs: int, tell: Tell) -> None:
        """Make every trial that is not recorded.

        Errors: KeyboardInterrupt, with everything recorded kept; UnsupportedError if this machine lacks a
        feature.
        """
        waiting = self._units()
        began, before = time.monotonic(), self.done()
        running: dict[UnitKey, subprocess.Popen[bytes]] = {}
        together, seen = max(1, min(jobs, (os.cpu_count() or 2) // 2)), set(self._worlds())
        with _scratch() as scratch, _interruptible():
            try:
                while waiting or running:
                    while waiting and len(running) < together:
                        key = waiting.pop(0)
                        running[key] = self._start(key, scratch)
                    time.sleep(_TICK)
                    for key in [key for key, process in running.items() if process.poll() is not None]:
                        self._ended(key, running.pop(key))
                        new = set(self._worlds()) - seen
                        seen |= new
                        busy = any(p.busy for p in map(Pressure.read, new) if p is not None)
                        together = max(1, together - 1) if busy else min(jobs, together + 1)
                    done = self.done()
                    took = time.monotonic() - began
                    left = took / (done - before) * (len(self.expected) - done) if done > before else None
                    tell(done, len(self.expected), len(running), left)
            finally:
                _stop(running.values())

    def trials(self) -> list[Trial]:
        """Every trial: those that are recorded, and the others as errors of the laboratory."""
        found = {(one.place, one.repeat): one for one in saved_trials(self.folder / TRIALS)}
        lost = "it was not made: see logs/"
        return [found.get((one.place, one.repeat)) or replace(one, lab_error=lost) for one in self.expected]

    def done(self) -> int:
        """How many trials are recorded. Only what was appended since the last call is read."""
        file = self.folder / TRIALS
        if not file.exists():
            return 0
        with file.open("rb") as lines:
            lines.seek(self._read)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                with suppress(ValueError, TypeError, KeyError):  # a line that was cut
                    one = Trial.from_json(json.loads(line))
                    self._recorded.add((one.place, one.repeat))
        return len(self._recorded)

    def _units(self) -> list[UnitKey]:
        """The units that have something to do, those with many trials first."""
        recorded = {(t.place, t.repeat) for t in saved_trials(self.folder / TRIALS) if not t.lab_error}
        missing: dict[UnitKey, int] = {}
        for number, scenario in enumerate(self.scenarios):
            for group, phases in enumerate(worlds_of(scenario)):
                waiting = [
                    t for t in self.expected if t.scenario == scenario.name and t.phase in phases
                    and (t.place, t.repeat) not in recorded
                ]  # fmt: skip
                if waiting:
                    missing[UnitKey(number, group)] = len(waiting)
        return sorted(missing, key=lambda key: -missing[key])

    def _start(self, key: UnitKey, scratch: Path) -> "subprocess.Popen[bytes]":
        with (self.folder / key.log).open("ab") as log:
            place = (str(self.folder), str(key.scenario), str(key.group), str(os.getpid()))
            return subprocess.Popen(
                [sys.executable, "-m", "testbed.evaluation.unit", *place],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "TMPDIR": str(scratch)},
            )  # fmt: skip

    def _ended(self, key: UnitKey, process: "subprocess.Popen[bytes]") -> None:
        if process.returncode == Exit.UNSUPPORTED:
            raise UnsupportedError((self.folder / key.log).read_text("utf-8", "replace").strip())

    def _worlds(self) -> Iterator[Path]:
        yield from (self.folder / "worlds").iterdir()


def _schemes(spec: EvaluationSpec) -> frozenset[str]:
    from testbed.detectors.adapter import adapter

    return adapter(spec.adapter).schemes


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder with a neutral name: what a detector can see of paths says nothing."""
    folder = Path(tempfile.mkdtemp(prefix="e-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the evaluation in order: the worlds are closed."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    old = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _stop(running: Any) -> None:
    """End the units that still run: each closes its world."""
    left = list(running)
    for process in left:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    due = time.monotonic() + _PATIENCE
    for process in left:
        try:
            process.wait(max(0.1, due - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
