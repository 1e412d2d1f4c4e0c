"""One run: enter a world of its own, do the work in it, and say in summary.json how it ended."""

import errno
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testbed.errors import Exit, TestbedError
from testbed.run.folder import RunFolder, versions
from testbed.run.laboratory import Laboratory
from testbed.scenario.model import OUTSIDE, Scenario
from testbed.scenario.tojson import to_json
from testbed.truth.receipts import fired
from testbed.world.enter import run_isolated


@dataclass(frozen=True, slots=True)
class Session:
    """What the run is about: the scenario, one of its phases, the vantages, the folder, how to measure."""

    scenario: Scenario
    phase: str
    vantages: tuple[str, ...]
    folder: RunFolder
    timeout: float = 4.0  # seconds per step of the built-in probe
    ipv: int = 4
    as_json: bool = False
    quiet: bool = False

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that the world needs."""
        return tuple(vantage for vantage in self.vantages if vantage != OUTSIDE)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the work ended. Any problem makes the run invalid."""

    status: int
    problems: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)  # for summary.json


Work = Callable[[Session, Laboratory], Ending]


def run(session: Session, work: Work) -> int:
    """Build the session's world in namespaces of its own, do `work` in it; the exit status.

    Whatever happens, what was recorded up to then stays readable, and nothing else stays.
    """
    session.folder.write("scenario.json", {**to_json(session.scenario), "versions": versions()})
    return run_isolated(lambda: _inside(session, work))


def _inside(session: Session, work: Work) -> int:
    """The run proper, in the world. Errors are told here: the process that the user started is another."""
    started = time.time()
    try:
        ending = _work(session, work, started)
    except TestbedError as error:
        for line in str(error).splitlines():
            print(f"testbed: {line}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = "what was recorded up to then is readable; make room, or name another folder with --out"
        print(f"testbed: {session.folder.path}: {error.strerror}; {what}", file=sys.stderr)
        return Exit.INVALID
    return Exit.INVALID if ending.problems else ending.status


def _work(session: Session, work: Work, started: float) -> Ending:
    ending = Ending(Exit.INVALID, ("interrupted",))
    try:
        with Laboratory(session.scenario, session.phase, session.operators, session.folder) as laboratory:
            try:
                ending = work(session, laboratory)
            except KeyboardInterrupt:
                laboratory.finish()
                ending = replace(ending, more={"rules_fired": rules_fired(session)})
                raise
    except TestbedError as error:
        ending = Ending(error.exit_status, (str(error),))
        raise
    finally:
        session.folder.write("summary.json", _summary(session, ending, started))
    return ending


def rules_fired(session: Session) -> dict[str, int]:
    """For each rule that did anything, how many packets the kernel counted for it: "mts/tspu/rule" -> n."""
    receipts = session.folder.receipts()
    return {
        f"{operator}/{rule}": proof.kernel
        for operator in session.operators
        for rule, proof in fired(receipts, operator).items()
    }


def _summary(session: Session, ending: Ending, started: float) -> dict[str, Any]:
    return {
        "scenario": session.scenario.name,
        "phase": session.phase,
        "vantages": session.vantages,
        "seed": session.scenario.seed,
        "time_scale": session.scenario.time_scale,
        "exit_status": int(Exit.INVALID if ending.problems else ending.status),
        "valid": not ending.problems,
        "problems": list(ending.problems),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        **ending.more,
    }
