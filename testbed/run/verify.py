"""Shows that policy, file and wire agree: every phase of a scenario in one world, measured by the probe.

The world stands; between two phases its censors are stopped, so that each phase begins with boxes that
remember nothing, as `testbed.dryrun` asks them. What a running world cannot change (a link's rate) begins
another world.
"""

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from testbed.dryrun.ask import Asker
from testbed.dryrun.threeway import Difference, differences, wire_records
from testbed.errors import Exit, InputError, InvalidRunError
from testbed.measurement.target import Target
from testbed.model import Scenario
from testbed.run.choose import vantages_of
from testbed.run.job import Job
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.probing import under
from testbed.run.result import Findings
from testbed.run.session import Session, Work, carry_out
from testbed.scenario.loadcache import load_kept
from testbed.truth.expected import truth
from testbed.truth.judge import Judgement, Row, judge
from testbed.truth.record import TruthRecord
from testbed.world.pressure import Pressure

_ROWS: Final = "verified.json"  # in the run folder: phase -> rows


@dataclass(frozen=True, slots=True)
class VerifyOrder:
    """What is to be verified."""

    phases: tuple[str, ...] = ()  # (): every phase
    ipv: int = 4
    timeout: float = 4.0  # seconds per step of the probe
    out: Path | None = None  # a folder for the run folders; None: they are not kept


@dataclass(frozen=True)
class VerifiedScenario:
    """What came of one scenario."""

    name: str
    phases: tuple[str, ...] = ()
    exchanges: int = 0  # that were compared
    differences: tuple[Difference, ...] = ()
    problems: tuple[str, ...] = ()  # why the run says nothing
    records: tuple[TruthRecord, ...] = ()  # of the wire
    seconds: float = 0.0
    worlds: int = 0
    repeated: bool = False  # measured again alone, because others disturbed it

    @property
    def exit_status(self) -> Exit:
        """OK, UNEXPECTED or INVALID."""
        if self.problems:
            return Exit.INVALID
        return Exit.UNEXPECTED if self.differences else Exit.OK

    def to_json(self) -> dict[str, Any]:
        """As a dict of JSON values."""
        return {
            "scenario": self.name,
            "phases": list(self.phases),
            "exchanges": self.exchanges,
            "differences": [one.to_json() for one in self.differences],
            "problems": list(self.problems),
            "seconds": round(self.seconds, 1),
            "repeated": self.repeated,
            "records": [one.to_json() for one in self.records],
        }


@dataclass
class _Measured:
    """The phases measured so far."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    worlds: int = 0


def verify_all(names: Sequence[str], order: VerifyOrder, jobs: int) -> Iterator[VerifiedScenario]:
    """Verify each scenario, `jobs` worlds at once, in the order in which they end.

    One that does not agree, or whose run was disturbed, is measured again alone, and that counts.
    """
    doubtful: list[str] = []
    jobs = min(jobs, len(names))
    if jobs < 2:
        yield from (verify(name, order) for name in names)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        tasks = {pool.submit(verify, name, order): name for name in names}
        for task in as_completed(tasks):
            found = task.result()
            if found.exit_status == Exit.OK:
                yield found
            else:
                doubtful.append(tasks[task])
    for name in doubtful:
        yield replace(verify(name, order), repeated=True)


def verify(name: str, order: VerifyOrder) -> VerifiedScenario:
    """Measure the phases of one scenario and compare. InputError for a scenario that is wrong."""
    began, scenario = time.monotonic(), load_kept(name)
    phases = order.phases or tuple(scenario.phases)
    measured = _Measured()
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        folder = order.out or Path(scratch)
        while left := [phase for phase in phases if phase not in measured.rows]:
            _measure(scenario, left, order, folder / f"{scenario.name}-{measured.worlds + 1}", measured)
            if measured.problems:
                break
    asker = Asker(scenario)
    found: list[Difference] = []
    records: list[TruthRecord] = []
    for phase, rows in measured.rows.items():
        found += differences(asker, phase, rows, order.ipv)
        records += wire_records(asker, phase, rows, order.ipv)
    return VerifiedScenario(
        scenario.name,
        phases,
        sum(len(rows) for rows in measured.rows.values()),
        tuple(found),
        tuple(measured.problems),
        tuple(records),
        time.monotonic() - began,
        measured.worlds,
    )


def _measure(
    scenario: Scenario, phases: Sequence[str], order: VerifyOrder, out: Path, measured: _Measured
) -> None:
    """Measure as many of these phases as one world can have."""
    concerned = {one for phase in phases for one in vantages_of(scenario, phase, (), single=False)}
    vantages = tuple(key for key in scenario.vantages() if key in concerned)
    job = Job(scenario, phase=phases[0], vantages=vantages, timeout=order.timeout, ipv=order.ipv, out=out)
    session = Session.of(*job.settled(), switches=True)
    result = carry_out(session, _work(phases))
    measured.worlds += 1
    file = session.folder.path / _ROWS
    if file.exists():
        for phase, rows in json.loads(file.read_text("utf-8")).items():
            measured.rows[phase] = [_row(row) for row in rows]
    measured.problems += result.problems
    if not measured.rows and not result.problems:
        measured.problems.append("nothing was measured")


def _row(values: Mapping[str, Any]) -> Row:
    """A row as JSON has it."""
    lists = ("others", "expected_rate", "expected_received", "expected_share")
    given: dict[str, Any] = {k: tuple(v) if k in lists and v is not None else v for k, v in values.items()}
    return Row(**given)


def _work(phases: Sequence[str]) -> Work:
    """Each phase after the other, until one that this world cannot have."""

    def work(session: Session, laboratory: Laboratory) -> Findings:
        done: list[Judgement] = []
        for number, phase in enumerate(phases):
            if number:
                try:
                    laboratory.begin_phase(phase)
                except InputError:
                    break
            done.append(_judged(session, laboratory, phase, number))
        problems = laboratory.finish()
        pressure = Pressure.read(session.folder.path)
        done = [under(pressure, one) for one in done]
        rows = {one.phase: one.to_json()["rows"] for one in done}
        session.folder.write(_ROWS, rows)
        problems += [f"phase {one.phase}: {problem}" for one in done for problem in one.problems]
        every = tuple(row for one in done for row in one.rows)
        whole = Judgement(session.scenario.name, ", ".join(rows), every, tuple(problems))
        return Findings(problems=tuple(problems), judgement=whole, pressure=pressure)

    return work


def _judged(session: Session, laboratory: Laboratory, phase: str, number: int) -> Judgement:
    """Measure a phase, stop its censors, judge."""
    scenario, job = session.scenario, session.job
    about = vantages_of(scenario, phase, (), single=False)
    targets: dict[str, list[Target]] = {}
    for one in truth(scenario, phase, about, job.ipv):
        targets.setdefault(one.vantage, []).extend([one.target] * one.tries)
    measurements = observe(laboratory, targets, job.timeout, job.ipv)
    try:
        broken = laboratory.end_phase()
    except InvalidRunError as error:
        broken = [str(error)]
    receipts = session.folder.receipts()
    judgement = judge(scenario, phase, measurements, receipts, about, job.ipv)
    session.folder.move_receipts(f"{number + 1}-{phase}")
    return replace(judgement, problems=(*broken, *judgement.problems))


def default_jobs() -> int:
    """Worlds at once: most of a run is waiting for what does not come. Our choice, by measurement."""
    return 2 * (os.cpu_count() or 1)
