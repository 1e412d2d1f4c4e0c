"""Every scenario of the library, one run after another."""

from collections.abc import Iterator
from dataclasses import replace

from testbed.errors import InputError, Problem
from testbed.model import Scenario
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.run.result import RunResult
from testbed.scenario import library
from testbed.scenario.loadcache import load_kept


def every_scenario() -> list[Scenario]:
    """The library's. InputError with every problem of every scenario in it."""
    found: list[Scenario] = []
    problems: list[Problem] = []
    for name in library.names():
        try:
            found.append(load_kept(name))
        except InputError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise InputError(*problems)
    if not found:
        raise InputError.at(
            "--all", "the library is empty", f"name a folder of scenarios in {library.VARIABLE}"
        )
    return found


def execute_all(job: Job, scenarios: list[Scenario]) -> Iterator[tuple[Scenario, RunResult]]:
    """The job for each scenario in each of its phases, or in `job.phase` only. An interrupt ends it.

    With `job.out`, each run has a folder in it: SCENARIO-PHASE. Errors: as `execute`.
    """
    for scenario in scenarios:
        for phase in scenario.phases if job.phase is None else (job.phase,):
            out = job.out and job.out / f"{scenario.name}-{phase}"
            result = execute(replace(job, scenario=scenario, phase=phase, out=out))
            yield scenario, result
            if result.exit_status > 128:
                return
