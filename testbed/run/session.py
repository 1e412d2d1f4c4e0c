"""One run: enter a world of its own, do the work in it, and say in summary.json how it ended."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.errors import Exit, InvalidRunError
from testbed.run.folder import RunFolder, versions
from testbed.run.laboratory import Laboratory
from testbed.scenario.model import OUTSIDE, Scenario
from testbed.scenario.tojson import to_json
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
    started = time.time()
    ending = Ending(Exit.INVALID, ("interrupted",))
    try:
        with Laboratory(session.scenario, session.phase, session.operators, session.folder) as laboratory:
            ending = work(session, laboratory)
    except InvalidRunError as error:
        ending = Ending(Exit.INVALID, (str(error),))
        raise
    finally:
        session.folder.write("summary.json", _summary(session, ending, started))
    return Exit.INVALID if ending.problems else ending.status


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
