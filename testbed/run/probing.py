"""The work of a run without a command: every target of the phase from every vantage, judged."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.run.events import passed_names
from testbed.run.laboratory import Laboratory
from testbed.run.lookagain import look_again
from testbed.run.observe import observe, observe_closer
from testbed.run.result import Findings
from testbed.run.session import Session
from testbed.truth.expected import truth
from testbed.truth.judge import Judgement, Row, judge
from testbed.truth.wayjudge import WayRow, WayTrial, judge_ways, way_problems
from testbed.world.pressure import Pressure


def run_probe(session: Session, laboratory: Laboratory) -> Findings:
    """Measure, stop everything, compare with what must be seen."""
    job = session.job
    expected = truth(session.scenario, session.phase, job.vantages, job.ipv)
    targets: dict[str, list[Target]] = {}
    for one in expected:
        targets.setdefault(one.vantage, []).extend([one.target] * one.tries)
    measurements = observe(laboratory, targets, job.timeout, job.ipv)
    if job.again:
        measurements = look_again(laboratory, targets, measurements, job.timeout, job.ipv)
    if job.instruments:
        measurements = observe_closer(laboratory, targets, measurements, job.instruments, job.ipv)
    trials = _trials(session, laboratory)
    broken = laboratory.finish()
    session.folder.write("truth.json", [one.to_json() for one in expected])
    judgement = judge(
        session.scenario,
        session.phase,
        measurements,
        session.folder.receipts(),
        job.vantages,
        job.ipv,
    )
    ways = judge_ways(trials, session.folder.receipts())
    judgement = replace(judgement, problems=(*broken, *judgement.problems, *way_problems(ways)))
    pressure = Pressure.read(session.folder.path)
    judgement = under(pressure, judgement, ways)
    passed = tuple(map(str, passed_names(session.folder.events)))
    judgement = replace(judgement, notes=(*judgement.notes, *passed, *_closer_notes(measurements)))
    return Findings(
        problems=judgement.problems,
        notes=judgement.notes,
        measurements=tuple(measurements),
        truth=tuple(expected),
        ways=ways,
        judgement=judgement,
        pressure=pressure,
    )


def _closer_notes(measurements: Sequence[Measurement]) -> Iterator[str]:
    """What a closer look found, for a person."""
    for one in measurements:
        if (found := one.test_keys.closer) is not None:
            yield f"{one.vantage} {one.target}: {'; '.join(found.words)}"


def _trials(session: Session, laboratory: Laboratory) -> tuple[WayTrial, ...]:
    if not session.job.circumvention:
        return ()
    from testbed.run.detours import try_ways  # few runs need it

    return try_ways(session, laboratory)


def _by_another_rule(row: Row) -> bool:
    """Whether it differs in nothing but the rule that caused the effect: no machine is so busy."""
    return row.observed == row.expected and bool(row.others)


def under(pressure: Pressure | None, judgement: Judgement, ways: Sequence[WayRow] = ()) -> Judgement:
    """The judgement of a run under pressure: what is not as expected may be a busy machine's doing."""
    if pressure is None or not pressure.busy:
        return judgement
    fine = all(row.verdict == "ok" or _by_another_rule(row) for row in judgement.rows)
    if judgement.valid and fine and all(way.verdict in ("ok", "skipped") for way in ways):
        return replace(judgement, notes=(*judgement.notes, f"{pressure}; the verdict holds all the same"))
    return replace(judgement, problems=(f"{pressure}; repeat it alone", *judgement.problems))
