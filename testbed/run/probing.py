"""The work of a run without a command: every target of the phase from every vantage, judged."""

from dataclasses import replace

from testbed.errors import Exit
from testbed.measurement.target import Target
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.result import Findings
from testbed.run.session import Session
from testbed.truth.expected import truth
from testbed.truth.judge import Judgement, judge
from testbed.world.pressure import Pressure


def run_probe(session: Session, laboratory: Laboratory) -> Findings:
    """Measure, stop everything, compare with what must be seen."""
    job = session.job
    expected = truth(session.scenario, session.phase, job.vantages, job.ipv)
    targets: dict[str, list[Target]] = {}
    for one in expected:
        targets.setdefault(one.vantage, []).extend([one.target] * one.tries)
    measurements = observe(laboratory, targets, job.timeout, job.ipv)
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
    judgement = replace(judgement, problems=(*broken, *judgement.problems))
    pressure = Pressure.read(session.folder.path)
    judgement = under(pressure, judgement)
    return Findings(
        problems=judgement.problems,
        notes=judgement.notes,
        measurements=tuple(measurements),
        truth=tuple(expected),
        judgement=judgement,
        pressure=pressure,
    )


def under(pressure: Pressure | None, judgement: Judgement) -> Judgement:
    """The judgement of a run under pressure: what is not as expected may be a busy machine's doing."""
    if pressure is None or not pressure.busy:
        return judgement
    if judgement.exit_status is Exit.OK:
        return replace(judgement, notes=(*judgement.notes, f"{pressure}; all is as expected all the same"))
    return replace(judgement, problems=(f"{pressure}; repeat it alone", *judgement.problems))
