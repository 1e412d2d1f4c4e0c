"""The work of a run with a timeline: every phase on the scenario's own dates, in one world."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from testbed.measurement.target import Target
from testbed.model import Scenario
from testbed.run.choose import concerned, vantages_of
from testbed.run.events import passed_names
from testbed.run.job import Job
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.pace import Pace
from testbed.run.probing import under
from testbed.run.program import judge_controls, measure_controls, own_rules
from testbed.run.result import Findings, PlayedPhase, RunResult
from testbed.run.session import Beside, Session, Work, carry_out_beside
from testbed.scenario.story import Story, story
from testbed.truth.expected import Truth, truth
from testbed.truth.judge import judge
from testbed.truth.proofs import problems as receipt_problems
from testbed.vantage.programs import ProgramError
from testbed.vantage.subscriber import run_as
from testbed.world.pressure import Pressure
from testbed.world.scenarioclock import iso


def play(
    job: Job,
    scenarios: Sequence[Scenario],
    *,
    speed: float | None = None,
    begin: datetime | None = None,
    until: datetime | None = None,
    beside: Beside | None = None,
) -> RunResult:
    """Build one world and play the scenarios' phases in it, on their own dates.

    `job` says the rest; without vantages, all that any phase concerns, and for a command the first of them.
    `speed`: seconds of the scenario in each real one; None leaps from phase to phase.
    `beside`: as in `execute`.

    Errors: as `execute`; InputError for scenarios that do not follow each other, or dates out of them.
    """
    made = story(scenarios, begin, until)
    job = replace(job, scenario=made.scenario, phase=made.spans[0].phase)
    settled, scenario = job.settled()
    if not job.vantages:
        every = concerned(scenario)
        settled = replace(settled, vantages=every[:1] if job.runs_program else every)
    dates = {"begin": begin.isoformat() if begin else None, "until": until.isoformat() if until else None}
    names = [one.path or one.name for one in scenarios]
    session = Session.of(settled, scenario, switches=True, dated=True)
    session = replace(session, played={"timeline": names, "speed": speed, **dates})
    return carry_out_beside(session, playing(replace(made, scenario=scenario), speed), beside)


def playing(given: Story, speed: float | None) -> Work:
    """The work of a run that plays a story: the probe in each phase, or one command through all of them."""

    def work(session: Session, laboratory: Laboratory) -> Findings:
        pace = Pace(given, speed, session, laboratory)
        return (_command if session.job.runs_program else _probe)(pace)

    return work


def _probe(pace: Pace) -> Findings:
    """Measure and judge each phase in turn; the world is the same from the first to the last."""
    session, laboratory = pace.session, pace.laboratory
    job, scenario, folder = session.job, session.scenario, session.folder
    played: list[PlayedPhase] = []
    while not played or not pace.over:
        pace.begin()
        span, began = pace.span, folder.events.stat().st_size
        touched = vantages_of(scenario, span.phase, (), single=False)
        about = [one for one in job.vantages if one in touched] or job.vantages
        expected = truth(scenario, span.phase, about, job.ipv)
        measured = observe(laboratory, _targets(expected), job.timeout, job.ipv)
        pace.wait()
        receipts = pace.end()
        judgement = judge(scenario, span.phase, measured, receipts, about, job.ipv)
        passed = map(str, passed_names(folder.events, session.twin_addresses, began))
        judgement = replace(judgement, notes=(*judgement.notes, *passed))
        dates = {"phase": span.phase, "from": iso(span.start), "until": iso(span.end)}
        for one in expected:
            folder.append("truth.jsonl", {**dates, **one.to_json()})
        played.append(PlayedPhase(span, judgement, tuple(measured), tuple(expected)))
    broken = laboratory.finish()
    pressure = Pressure.read(folder.path)
    played = [replace(one, judgement=under(pressure, one.judgement)) for one in played]
    problems = [f"phase {one.span.phase}: {said}" for one in played for said in one.judgement.problems]
    return Findings(
        problems=tuple(dict.fromkeys([*broken, *pace.problems, *problems])),
        notes=tuple(pace.notes()),
        measurements=tuple(one for each in played for one in each.measurements),
        truth=tuple(one for each in played for one in each.truth),
        phases=tuple(pace.records),
        played=tuple(played),
        pressure=pressure,
    )


def _targets(expected: list[Truth]) -> dict[str, list[Target]]:
    found: dict[str, list[Target]] = {}
    for one in expected:
        found.setdefault(one.vantage, []).extend([one.target] * one.tries)
    return found


def _command(pace: Pace) -> Findings:
    """Run the job's command while the phases go by; the last one holds until it ends."""
    session, laboratory = pace.session, pace.laboratory
    vantage, error = session.job.vantages[0], ""
    pace.begin()
    try:
        status = run_as(
            laboratory.world.namespaces[vantage],
            session.job.command or (),
            laboratory.environment(vantage),
            meanwhile=_turning(pace),
        )
    except ProgramError as refused:
        status, error = refused.status, str(refused)
    laboratory.check()
    measured = measure_controls(session, laboratory, [vantage])
    notes = own_rules(laboratory, vantage)
    reached = laboratory.reached(vantage)
    last = pace.end()
    problems = laboratory.finish() + pace.problems
    problems += receipt_problems(last, [one.name for one in laboratory.placements])
    labels, harmed = judge_controls(measured, last, session.scenario, laboratory.phase, session.job.ipv)
    pressure = Pressure.read(session.folder.path)
    if pressure is not None and pressure.busy:
        (problems if pressure.stalled or harmed else notes).append(str(pressure))
    return Findings(
        problems=(*problems, *harmed),
        notes=(*notes, *pace.notes()),
        command_status=status,
        command_error=error,
        controls=labels.get(vantage, {}),
        reached=reached,
        phases=tuple(pace.records),
        pressure=pressure,
    )


def _turning(pace: Pace) -> Callable[[], float | None]:
    """What changes the phases while a command runs: returns the seconds until it must be called again."""

    def turn() -> float | None:
        while not pace.over and pace.left() <= 0:
            pace.wait()
            receipts = pace.end()
            names = [one.name for one in pace.laboratory.placements]
            pace.problems += receipt_problems(receipts, names)
            pace.begin()
        return None if pace.over else max(0.0, pace.left())

    return turn
