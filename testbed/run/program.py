"""The work of a run with a command or a shell: a program as a subscriber, and a control after it."""

from collections.abc import Mapping, Sequence

from testbed.measurement.ooni import Measurement
from testbed.model import OUTSIDE, Scenario
from testbed.run.laboratory import Laboratory
from testbed.run.observe import observe
from testbed.run.result import Findings
from testbed.run.session import Session
from testbed.scenario.labels import SILENT_LABELS
from testbed.truth.classify import classify, slow
from testbed.truth.expected import truth
from testbed.truth.proofs import CensorReceipts, fired_on, on_flows
from testbed.truth.proofs import notes as receipt_notes
from testbed.truth.proofs import problems as receipt_problems
from testbed.vantage.programs import ProgramError
from testbed.vantage.shell import shell_argv
from testbed.vantage.subscriber import run_as
from testbed.world.pressure import Pressure


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
    environment = session.command_environment(laboratory, vantage)
    try:
        if session.container:
            status = session.container.run(environment)
        else:
            status = run_as(laboratory.world.namespaces[vantage], argv, environment)
    except ProgramError as refused:
        status, error = refused.status, str(refused)
    laboratory.check()
    measured = measure_controls(session, laboratory, [vantage])
    notes = own_rules(laboratory, vantage)
    reached = laboratory.reached(vantage)
    problems = laboratory.finish()
    receipts = session.folder.receipts()
    problems += receipt_problems(receipts, [one.name for one in laboratory.placements])
    labels, harmed = judge_controls(measured, receipts, session.scenario, session.phase, session.job.ipv)
    pressure = Pressure.read(session.folder.path)
    if pressure is not None and pressure.busy:
        (problems if pressure.stalled or harmed else notes).append(str(pressure))
    return Findings(
        problems=(*problems, *harmed),
        notes=(*notes, *receipt_notes(receipts)),
        command_status=status,
        command_error=error,
        controls=labels.get(vantage, {}),
        reached=reached,
        pressure=pressure,
    )


def measure_controls(
    session: Session, laboratory: Laboratory, vantages: Sequence[str]
) -> dict[str, tuple[Measurement, ...]]:
    """The first control of the scenario from each vantage, and from outside."""
    asked = dict.fromkeys(vantages, session.scenario.controls[:1])
    made: dict[str, tuple[Measurement, ...]] = {}
    for one in observe(laboratory, asked, session.job.timeout, session.job.ipv):
        made[one.vantage] = (*made.get(one.vantage, ()), one)
    return made


def judge_controls(
    measured: Mapping[str, Sequence[Measurement]],
    receipts: CensorReceipts,
    scenario: Scenario,
    phase: str,
    ipv: int,
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Vantage -> target -> label; and why the run is invalid, for each control that ought to work."""
    otherwise = {
        (one.vantage, one.target.url): one.outcome
        for one in truth(scenario, phase, list(measured), ipv)
        if one.outcome != "ok"
    }
    outside = {one.target: one for one in measured.get(OUTSIDE, ())}
    labels: dict[str, dict[str, str]] = {}
    problems = []
    for vantage, made in measured.items():
        for one in made:
            reference = outside.get(one.target)
            acted = fired_on(on_flows(receipts, one.test_keys.flows or ()))
            label = classify(one, reference, limited=bool(acted))
            expected = otherwise.get((vantage, one.target), "ok")
            if expected == "outage" and label in SILENT_LABELS and not acted:
                label = expected
            labels.setdefault(vantage, {})[one.target] = label
            if expected != "ok":
                continue
            where = f"the control {one.target} from {vantage}"
            if label != "ok":
                cause = f"by {', '.join(acted)}" if acted else "and no rule acted on its flows"
                problems.append(f"{where} was harmed: {label}, {cause}")
            elif not acted and slow(one, reference):
                problems.append(f"{where} was slow, and no rule acted on its flows: the machine was too busy")
    return labels, problems


def own_rules(laboratory: Laboratory, vantage: str) -> list[str]:
    """A note, if the subscriber's machine has a firewall of its own."""
    found = laboratory.own_rules(vantage)
    if not found:
        return []
    return [f"{vantage} has firewall rules of its own, which are no censor's: {', '.join(found)}"]
