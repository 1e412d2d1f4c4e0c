"""The work of a run with a command or a shell: a program as a subscriber, and a control after it."""

from collections.abc import Mapping, Sequence

from testbed.model import OUTSIDE
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.result import Findings
from testbed.run.session import Session
from testbed.truth.classify import classify
from testbed.truth.proofs import problems as receipt_problems
from testbed.vantage.programs import ProgramError
from testbed.vantage.shell import shell_argv
from testbed.vantage.subscriber import run_as


def run_command(session: Session, laboratory: Laboratory) -> Findings:
    """Run the job's command as its first vantage's subscriber."""
    return _run(session, laboratory, session.job.command or ())


def run_shell(session: Session, laboratory: Laboratory) -> Findings:
    """Open an interactive shell there."""
    place = (session.scenario.name, session.phase, session.job.vantages[0])
    return _run(session, laboratory, shell_argv(*place, session.folder.path))


def _run(session: Session, laboratory: Laboratory, argv: Sequence[str]) -> Findings:
    vantage = session.job.vantages[0]
    error = ""
    try:
        status = run_as(laboratory.world.namespaces[vantage], argv, laboratory.environment(vantage))
    except ProgramError as refused:
        status, error = refused.status, str(refused)
    laboratory.check()
    labels = controls(session, laboratory, [vantage])[vantage]
    problems = laboratory.finish()
    problems += receipt_problems(session.folder.receipts(), [one.name for one in laboratory.placements])
    problems += harmed(labels)
    return Findings(problems=tuple(problems), command_status=status, command_error=error, controls=labels)


def controls(session: Session, laboratory: Laboratory, vantages: Sequence[str]) -> dict[str, dict[str, str]]:
    """The first control of the scenario measured from each vantage: vantage -> target -> label."""
    targets = session.scenario.controls[:1]
    asked = dict.fromkeys(vantages, targets)
    made = {
        (one.vantage, one.target): one
        for one in observe(laboratory, asked, session.job.timeout, session.job.ipv)
    }
    return {
        vantage: {one.url: classify(made[vantage, one.url], made.get((OUTSIDE, one.url))) for one in targets}
        for vantage in vantages
    }


def harmed(labels: Mapping[str, str], where: str = "") -> list[str]:
    """Why the run is invalid, for each control that does not work."""
    return [
        f"the control {target}{where} was harmed: {label}"
        for target, label in labels.items()
        if label != "ok"
    ]
