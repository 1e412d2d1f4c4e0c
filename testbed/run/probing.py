"""The work of a run without a command: every target of the phase from every vantage, judged."""

from dataclasses import replace

from testbed.measurement.target import Target
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.result import Findings
from testbed.run.session import Session
from testbed.truth.expected import truth
from testbed.truth.judge import judge


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
    return Findings(
        problems=judgement.problems,
        notes=judgement.notes,
        measurements=tuple(measurements),
        truth=tuple(expected),
        judgement=judgement,
    )
