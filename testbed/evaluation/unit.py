"""One unit of an evaluation: the phases of a scenario that share a world. A process of its own does it.

Every trial is appended to trials.jsonl as soon as it is made. A trial that the laboratory spoiled is made
again, a few times.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from testbed.detectors.adapter import Adapter, adapter
from testbed.detectors.pairing import answer
from testbed.detectors.recorded import PLAN, TRIALS, ProbeView, probed, saved_trials
from testbed.detectors.trials import Trial
from testbed.errors import InvalidRunError, TestbedError
from testbed.evaluation.busy import Lateness
from testbed.evaluation.concealed import concealed, secret_files
from testbed.evaluation.detectorrun import DetectorRun, run_detector
from testbed.evaluation.spec import EvaluationSpec, Round, rounds, trials_of, worlds_of
from testbed.measurement.ooni import Measurement
from testbed.model import Scenario
from testbed.model.addressing import twin_addresses
from testbed.run.events import ends_of
from testbed.run.execute import execute
from testbed.run.folder import RunFolder
from testbed.run.job import Job
from testbed.run.open import StandingWorld, open_world
from testbed.run.records import PhaseRecord
from testbed.run.result import RunResult
from testbed.scenario.loader import load
from testbed.world import linux

ATTEMPTS: Final = 3  # of a trial that the laboratory spoils; our choice
_LATE: Final = "a step was slow here, and neither a rule nor a link had made it so: the machine was"
_MEDDLED: Final = re.compile("has (firewall rules of its own|other addresses or routes)")
_SURE: Final = (
    "hit",
    "right",
    "not observable",
    "inconclusive",
    "flooded",
    "not started",
)  # what no busy machine makes of another


@dataclass(slots=True)
class Unit:
    """The work of one process: some phases of one scenario."""

    folder: Path  # of the evaluation
    spec: EvaluationSpec
    scenario: Scenario
    phases: Sequence[str]
    vantages: Sequence[str] = ()  # (): every one
    scratch: Path | None = None  # the folder of all worlds of the evaluation, if they have one of their own
    adapter: Adapter = field(init=False)
    done: set[tuple[str, int]] = field(init=False)
    _secret: tuple[str, ...] = ()
    _seen: set[str] = field(default_factory=set)  # flows of the earlier rounds in this world

    def __post_init__(self) -> None:
        self.adapter = adapter(self.spec.adapter)
        self.done = {
            (one.place, one.repeat) for one in saved_trials(self.folder / TRIALS) if not one.lab_error
        }

    def work(self) -> None:
        """Make every trial that is not recorded."""
        if not self.spec.command:
            for phase in self.phases:
                for repeat in range(1, self.spec.repeats + 1):
                    self._probe(phase, repeat)
            return
        self._secret = secret_files(self.spec, self.scenario.path, self.folder)
        if waiting := [left for phase in self.phases if (left := self._left(phase))]:
            self._command([one for each in waiting for one in each])

    # -- a command, in a world that stays

    def _left(self, phase: str) -> list[Round]:
        """The rounds of a phase without the trials that are recorded."""
        found = []
        for one in rounds(self.spec, self.scenario, phase):
            missing = tuple(
                t for t in one.trials
                if (t.place, t.repeat) not in self.done and (not self.vantages or t.vantage in self.vantages)
            )  # fmt: skip
            if missing:
                found.append(replace(one, trials=missing))
        return found

    def _command(self, rounds_left: list[Round]) -> None:
        """Make these rounds; a world that has become invalid is replaced by a new one."""
        waiting = [(one, 1) for one in rounds_left]  # with the number of the attempt
        while waiting:
            self._seen.clear()
            with _Opened(self, [one for one, _ in waiting]) as world:
                fit = True
                while waiting and fit:
                    current, attempt = waiting.pop(0)
                    trials, fit = self._round(world, current)
                    again = {one.place for one in trials if one.lab_error} if attempt < ATTEMPTS else set()
                    self._record(one for one in trials if one.place not in again)
                    if again:
                        left = tuple(one for one in current.trials if one.place in again)
                        waiting.insert(0, (replace(current, trials=left), attempt + 1))

    def _round(self, world: StandingWorld, one: Round) -> tuple[list[Trial], bool]:
        """Run the detector at each vantage at once; the trials, and whether the world may be used again."""
        lateness = Lateness()
        try:
            if world.status()["phase"] != one.phase:
                world.phase(one.phase, fresh=True)
            lateness.begin()
            with ThreadPoolExecutor(len(one.trials)) as pool:
                ran = list(pool.map(lambda t: self._run(world, t), one.trials))
            pressure = lateness.end()
            record = world.phase(one.phase, fresh=True)
            acted = self._acted(world, record)
        except TestbedError as error:
            lateness.end()
            return [replace(trial, lab_error=str(error)) for trial in one.trials], False
        made = [self._trial(*each, record, acted) for each in zip(one.trials, ran, strict=True)]
        if pressure.busy:
            made = [
                t if t.standing(self.adapter) in _SURE else replace(t, lab_error=str(pressure)) for t in made
            ]
        meddled = any(_MEDDLED.search(note) for note in record.notes)
        return made, not record.problems and not meddled

    def _run(self, world: StandingWorld, trial: Trial) -> DetectorRun:
        scratch = self.scratch or world.folder.parent
        hidden = concealed(self.spec.command, self._secret, scratch)
        return run_detector(world, self.spec, trial.vantage, trial.target, hidden)

    def _acted(self, world: StandingWorld, record: PhaseRecord) -> tuple[str, ...]:
        """The rules that acted on flows of this round.

        A flow of an earlier round goes on when its program has ended: the kernel sends again what was not
        acknowledged. What a rule does to those packets is not this round's.
        """
        twins = {address for one in world.vantages for address in twin_addresses(self.scenario.world, one)}
        found: list[str] = []
        now: set[str] = set()
        for censor, receipt in RunFolder(world.folder).receipts(record.part).items():
            for rule, counts in receipt.get("rules", {}).items():
                own = {
                    flow
                    for flow, acts in counts.get("flows", {}).items()
                    if acts["claimed"] and acts["kernel"] and twins.isdisjoint(ends_of(flow))
                }
                if own - self._seen:
                    found.append(f"{censor}/{rule}")
                now |= own
        self._seen |= now
        return tuple(found)

    def _trial(self, known: Trial, ran: DetectorRun, record: PhaseRecord, acted: Sequence[str]) -> Trial:
        """The trial with what the detector said, and what the rules did to its packets."""
        verdict, complaints = answer(known, self.adapter.report(ran.output))
        meddling = [
            note
            for note in record.notes
            if note.startswith(f"{known.vantage} has ") and _MEDDLED.search(note)
        ]
        left = [f"processes left: {ran.left}"] if ran.left else []
        left += ["its folder or /dev/shm is full"] if ran.full else []
        return replace(
            known,
            acted=tuple(rule for rule in acted if rule.startswith(f"{known.vantage}/")),
            ending=ran.ending,
            lab_error=ran.lab_error or "; ".join(record.problems),
            verdict=verdict,
            complaints=complaints,
            status=ran.output.status,
            seconds=ran.seconds,
            left=ran.left,
            raw=self._keep(known, ran),
            note="; ".join([*left, *meddling]),
        )

    def _keep(self, known: Trial, ran: DetectorRun) -> str:
        """Store the whole output; the name of its file."""
        name = f"raw/{hashlib.sha256(known.place.encode()).hexdigest()[:12]}-{known.repeat}"
        for ending, text in (("out", ran.output.text), ("err", ran.output.errors)):
            (self.folder / f"{name}.{ending}").write_text(text, "utf-8")
        return f"{name}.out"

    # -- the built-in probe, which measures every target of a world at once

    def _probe(self, phase: str, repeat: int) -> None:
        known = {(one.vantage, one.target): one for one in trials_of(self.spec, self.scenario, phase)}
        numbers = {place: replace(one, repeat=repeat) for place, one in known.items()}
        if all((one.place, one.repeat) in self.done for one in numbers.values()):
            return
        for attempt in range(1, ATTEMPTS + 1):
            out = Path(tempfile.mkdtemp(prefix="w-"))
            vantages = tuple(dict.fromkeys(vantage for vantage, _ in known))
            job = Job(
                self.scenario,
                phase=phase,
                vantages=vantages,
                serve=self.spec.serve,
                instruments=self.spec.instruments,
                again=True,
                out=out / "w",
            )
            result = execute(job)
            raw = _moved(out, self.folder / "worlds", f"{self.scenario.name}-{phase}")
            if result.exit_status > 128:
                sys.exit(result.exit_status)
            made = judged_trials(
                result, numbers, self.scenario, self.adapter, f"worlds/{raw.name}/results.jsonl"
            )
            if attempt == ATTEMPTS or not any(one.lab_error for one in made):
                self._record(made)
                return

    def _record(self, trials: Sequence[Trial] | Iterator[Trial]) -> None:
        """Append the trials, each in one write: other processes append as well."""
        file = os.open(self.folder / TRIALS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            for one in trials:
                os.write(file, (json.dumps(one.to_json(), ensure_ascii=False) + "\n").encode())
        finally:
            os.close(file)


class _Opened:
    """A world for some rounds, in a folder whose name says nothing; kept in the evaluation's folder."""

    def __init__(self, unit: Unit, waiting: Sequence[Round]) -> None:
        self._unit, self._phase = unit, waiting[0].phase
        self._vantages = tuple(dict.fromkeys(t.vantage for one in waiting for t in one.trials))
        self._out = Path(tempfile.mkdtemp(prefix="w-"))

    def __enter__(self) -> StandingWorld:
        self._world = open_world(
            self._unit.scenario,
            phase=self._phase,
            vantages=self._vantages,
            serve=self._unit.spec.serve,
            out=self._out / "w",
            name=f"w{os.getpid()}",
        )
        return self._world

    def __exit__(self, *_: object) -> None:
        with suppress(InvalidRunError):  # its trials say so themselves
            self._world.close()
        _moved(self._out, self._unit.folder / "worlds", self._unit.scenario.name)


def judged_trials(
    result: RunResult,
    known: Mapping[tuple[str, str], Trial],
    scenario: Scenario,
    reader: Adapter,
    raw: str = "",
) -> list[Trial]:
    """The probe's trials of a run; on a busy machine a wrong answer may be the machine's."""
    busy = str(result.pressure) if result.pressure is not None and result.pressure.busy else ""
    controls = [target.url for target in scenario.controls]
    made = _of_result(result, known, raw, controls)
    return [
        one if one.lab_error or one.standing(reader) in _SURE else replace(one, lab_error=busy)
        for one in made
    ]


def _of_result(
    result: RunResult, known: Mapping[tuple[str, str], Trial], raw: str, controls: Sequence[str]
) -> Iterator[Trial]:
    """The probe's trials: what it measures several times is judged by its first measurement."""
    problems = "; ".join(result.problems)
    made: dict[tuple[str, str], Measurement] = {}
    for measurement in result.measurements:
        made.setdefault((measurement.vantage, measurement.target), measurement)
    view = ProbeView(made.values(), controls)
    rows = result.judgement.rows if result.judgement else ()
    slow = {(one.vantage, one.target) for one in rows if one.slow}
    for place, trial in known.items():
        measured = made.get(place)
        if measured is None:
            yield replace(trial, lab_error=problems or "it was not measured", raw=raw)
        else:
            one = probed(trial, measured, result.receipts)
            verdict = view.verdict(measured)
            late = _LATE if place in slow and "throttle" in verdict.mechanisms else ""
            yield replace(one, verdict=verdict, lab_error=problems or late, raw=raw)


def _moved(out: Path, parent: Path, name: str) -> Path:
    """Move the run folder to the evaluation's, under a number that is free."""
    for number in range(1, 10_000):
        place = parent / f"{name}-{number}"
        with suppress(FileExistsError):
            place.mkdir(parents=True)
            for path in (out / "w").iterdir() if (out / "w").is_dir() else ():
                shutil.move(path, place / path.name)
            shutil.rmtree(out, ignore_errors=True)
            return place
    raise InvalidRunError(f"ten thousand worlds of {name}")


def main() -> int:
    """Do the unit that the command line names: FOLDER SCENARIO-NUMBER GROUP-NUMBER PARENT."""
    linux.die_with_parent()
    if os.getppid() != int(sys.argv[4]):
        return 0
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # the world is closed on the way
    folder, place, group = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    spec = EvaluationSpec.from_json(json.loads((folder / PLAN).read_text("utf-8")))
    scenario = load(spec.scenarios[place])
    try:
        scratch = Path(tempfile.gettempdir())
        Unit(folder, spec, scenario, worlds_of(scenario)[group], scratch=scratch).work()
    except TestbedError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
