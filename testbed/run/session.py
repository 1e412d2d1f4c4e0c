"""One run: a job with its scenario and its folder, carried out in a world of its own."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from testbed.errors import Exit, InvalidRunError, RunInterrupted, TestbedError
from testbed.model import OUTSIDE, Scenario
from testbed.model.addressing import twin_addresses
from testbed.run.events import ends_of, passed_names, rules_by_flow
from testbed.run.folder import RunFolder, versions
from testbed.run.job import Job
from testbed.run.result import Findings, RunResult, exit_status
from testbed.scenario.tojson import to_json
from testbed.truth.proofs import fired
from testbed.world import interrupt
from testbed.world.enter import isolated_call
from testbed.world.scenarioclock import ScenarioClock

if TYPE_CHECKING:
    from testbed.containers.contained import Contained
    from testbed.containers.pods import Pods
    from testbed.internet.authority import Authority
    from testbed.run.laboratory import Laboratory
    from testbed.vantage.environment import Environment

T = TypeVar("T")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Session:
    """A job with every choice made, the scenario as it will run, and the folder that keeps the results."""

    job: Job
    scenario: Scenario
    folder: RunFolder
    authority: "Authority | None" = None  # None: one of its own for this run
    twins: bool = False  # with a second subscriber at each vantage: a command may do anything to the first
    switches: bool = False  # the world will change its phase
    date: ScenarioClock | None = None  # the scenario's time, where it has one
    container: "Contained | None" = None  # which is the subscriber
    metered: bool = False  # rates are measured, for who watches
    pods: "Pods | None" = None  # places where containers may run
    played: Mapping[str, Any] = field(default_factory=dict)  # how a timeline is: speed, begin, until

    @classmethod
    def prepare(cls, job: Job) -> "Session":
        """Load, choose, make the folder. InputError for whatever is wrong with the job."""
        return cls.of(*job.settled())

    @classmethod
    def of(
        cls, job: Job, scenario: Scenario, *, twins: bool = False, switches: bool = False, dated: bool = False
    ) -> "Session":
        """The same of a settled job."""
        authority = _kept_authority(job.authority) if job.authority else None
        folder = RunFolder.create(job.out, scenario.name)
        date = ScenarioClock() if dated else None
        twins = twins or job.runs_program or job.circumvention
        return cls(job, scenario, folder, authority, twins, switches, date)

    @property
    def phase(self) -> str:
        """The phase in which the world starts."""
        assert self.job.phase is not None, "a settled job has a phase"
        return self.job.phase

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that the world needs: the vantages, and where a subscriber is a host."""
        hosts = (host.at for host in self.scenario.world.hosts if host.at not in ("", OUTSIDE))
        return tuple(dict.fromkeys((*self.job.operators, *hosts)))

    def command_environment(
        self, laboratory: "Laboratory", vantage: str, name: str = "vantage"
    ) -> "Environment":
        """What a command at `vantage` finds; with the file for its TLS secrets if the job asks for them."""
        found = laboratory.environment(vantage, name)
        if not self.job.keys:
            return found
        from testbed.run.taps import KEYS

        log = {"SSLKEYLOGFILE": str(self.folder.path / KEYS)}
        return replace(found, variables={**found.variables, **log})

    @property
    def twin_addresses(self) -> frozenset[str]:
        """The addresses of the twins, if the world has some: flows from there are the controls'."""
        if not self.twins or self.job.circumvention:  # there, the twins are who is measured
            return frozenset()
        vantages, world = (*self.operators, OUTSIDE), self.scenario.world
        return frozenset(address for one in vantages for address in twin_addresses(world, one))

    def laboratory(self, meanwhile: Callable[[], object] = lambda: None) -> "Laboratory":
        """The world of this session, to be entered inside `run_isolated`; `meanwhile`: see there."""
        from testbed.run.groundwork import Groundwork  # once inside; half of the rest is imported meanwhile

        choice = (self.scenario, self.phase, self.operators)
        groundwork = Groundwork(*choice, twins=self.twins, networks=self._networks)
        from testbed.run.laboratory import Laboratory

        return Laboratory(
            *choice,
            self.folder,
            self.authority,
            twins=self.twins,
            switches=self.switches,
            date=self.date,
            captured=self.job.capture,
            metered=self.metered,
            groundwork=groundwork,
            pods=self.pods,
            meanwhile=meanwhile,
        )

    @property
    def _networks(self) -> dict[str, int]:
        """Places whose network namespaces are containers'."""
        pods = self.pods.networks if self.pods else {}
        return {**({self.job.vantages[0]: self.container.network} if self.container else {}), **pods}


def _kept_authority(folder: Path) -> "Authority":
    from testbed.internet.keep import kept_authority  # few runs need it

    return kept_authority(folder)


Work = Callable[[Session, "Laboratory"], Findings]


@dataclass(frozen=True, slots=True)
class LaterWork:
    """Work by the name of its module and function, which is imported while the world's servers start."""

    module: str
    name: str

    def load(self) -> Work:
        """The function."""
        found: Work = getattr(import_module(self.module), self.name)
        return found

    def __call__(self, session: Session, laboratory: "Laboratory") -> Findings:
        """Do it."""
        return self.load()(session, laboratory)


Beside = Callable[[Session], AbstractContextManager[object]]  # what goes on outside, while a run does


def carry_out_beside(session: Session, work: Work, beside: Beside | None) -> RunResult:
    """As `carry_out`, while `beside` watches the session's folder; it can change nothing of the result."""
    if beside is None:
        return carry_out(session, work)
    session = replace(session, metered=True)
    with beside(session):
        return carry_out(session, work)


def carry_out(session: Session, work: Work) -> RunResult:
    """Build the session's world in namespaces of its own, do `work` there, stop everything.

    However it ends, summary.json is written and what was recorded stays readable. A run that failed is a
    result with `problems`; one that a signal ended has the exit status 128 + n.

    Errors: UnsupportedError if this machine lacks a feature; whatever else `work` raised is a bug.
    """
    session.folder.write("scenario.json", {**to_json(session.scenario), "versions": versions()})
    session.folder.write("job.json", {**session.job.asked(), **session.played})
    with interrupt.held():  # the results are written whole
        return _carry_out(session, work)


def _carry_out(session: Session, work: Work) -> RunResult:
    started = time.time()
    error: Exception | None = None
    try:
        with _with_pods(session) as joinable, _with_container(joinable) as contained:
            findings = isolated_call(lambda: _work(contained, work))
        status = exit_status(findings)
    except RunInterrupted as signal:
        findings, status = Findings(problems=("interrupted",)), 128 + signal.number
        interrupt.drop_held()  # an impatient second one
    except Exception as raised:
        error, findings = raised, _failed(raised, session.folder.path)
        status = raised.exit_status if isinstance(raised, TestbedError) else Exit.INVALID
    result = _result(session, findings, status, started)
    if session.job.capture:
        result = _with_capture(session, result)
    try:
        session.folder.write("summary.json", result.summary())
    except OSError as full:
        if full.errno not in _DISK_FULL:
            raise
    if error is not None and not _is_failure(error):
        raise error
    return result


def _with_capture(session: Session, result: RunResult) -> RunResult:
    """The result with its capture. On a full disk the recording stays as it is, and the run is invalid."""
    from testbed.run.annotated import CAPTURE, write_capture  # few runs need it

    try:
        return replace(result, captured=write_capture(session.folder, session.scenario, session.phase))
    except OSError as full:
        if full.errno not in _DISK_FULL:
            raise
        (session.folder.path / CAPTURE).unlink(missing_ok=True)
        said = (
            f"{CAPTURE} could not be written: {full.strerror}; the packets are in capture/, without comments"
        )
        return replace(result, problems=(*result.problems, said), exit_status=Exit.INVALID)


@contextmanager
def _with_pods(session: Session) -> Iterator[Session]:
    """The session with the pods that its scenario and its job want, from before the world until after it."""
    from testbed.run.podplaces import pod_places

    wanted, needed = pod_places(session.scenario, session.job)
    if not wanted:
        yield session
        return
    from testbed.containers.pods import pods_for  # few runs need it

    with pods_for(wanted, needed, session.folder.path) as pods:
        yield replace(session, pods=pods)


@contextmanager
def _with_container(session: Session) -> Iterator[Session]:
    """The session with the container that its job names. It is there before the world and until after it."""
    job = session.job
    if not job.image:
        yield session
        return
    from testbed.containers.contained import SHELL, contained, variables  # few runs need it
    from testbed.containers.engine import Requested

    command = job.command or (SHELL if job.shell else ())
    network = session.pods.ids.get(job.vantages[0], "") if session.pods else ""
    requested = Requested(job.image, command, job.vantages[0], job.volumes, variables(job.variables), network)
    with contained(requested, session.folder.path) as container:
        yield replace(session, container=container)


def _work(session: Session, work: "Work | LaterWork") -> Findings:
    with session.laboratory(work.load if isinstance(work, LaterWork) else lambda: None) as laboratory:
        return work(session, laboratory)


def _is_failure(error: BaseException) -> bool:
    """Whether the run failed, rather than this machine or our code: the result says so."""
    return isinstance(error, InvalidRunError) or (isinstance(error, OSError) and error.errno in _DISK_FULL)


def _failed(error: BaseException, folder: Path) -> Findings:
    problem = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        remedy = "what was recorded up to then is readable; make room, or name another folder with --out"
        problem = f"{folder}: {error.strerror}; {remedy}"
    return Findings(problems=(problem,))


def _result(session: Session, findings: Findings, status: int, started: float) -> RunResult:
    receipts = session.folder.receipts()
    acted, at_control = rules_fired(receipts, session)
    for record in findings.phases:  # of a held world, whose receipts are kept by phase
        acted = {rule: acted.get(rule, 0) + record.fired.get(rule, 0) for rule in {**acted, **record.fired}}
    apart = replace(findings, control_fired=at_control)
    return RunResult(
        **{field.name: getattr(apart, field.name) for field in fields(apart)},
        job=session.job,
        scenario=session.scenario.name,
        folder=session.folder.path,
        exit_status=int(status),
        receipts=receipts,
        fired=acted,
        passed=passed_names(session.folder.events, session.twin_addresses),
        matched=_without(session.twin_addresses, rules_by_flow(session.folder.events)),
        started=started,
        seconds=time.time() - started,
    )


def rules_fired(receipts: Mapping[str, Any], session: Session) -> tuple[dict[str, int], dict[str, int]]:
    """For each rule that did anything, how many packets the kernel counted for it: "mts/tspu/rule" -> n.

    Those of the controls at the twins are counted apart, as the second value.
    """
    acted: dict[str, int] = {}
    at_control: dict[str, int] = {}
    twins = session.twin_addresses
    for operator in session.operators:
        for rule, proof in fired(receipts, operator).items():
            name = f"{operator}/{rule}"
            flows = receipts[name.rpartition("/")[0]]["rules"][name.rpartition("/")[2]].get("flows", {})
            of_twins = sum(
                acts["kernel"] for flow, acts in flows.items() if twins.intersection(ends_of(flow))
            )
            if of_twins:
                at_control[name] = of_twins
            if proof.kernel > of_twins or not of_twins:
                acted[name] = proof.kernel - of_twins
    return acted, at_control


def _without(twins: frozenset[str], by_flow: Mapping[str, T]) -> dict[str, T]:
    return {flow: one for flow, one in by_flow.items() if not twins.intersection(ends_of(flow))}
