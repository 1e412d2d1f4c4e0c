"""`run --all`: which runs there are, what is printed, and the exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from testbed.cli import main as cli
from testbed.errors import InputError
from testbed.run import every
from testbed.run.job import Job
from testbed.run.result import RunResult, most_serious
from testbed.scenario import library
from testbed.truth.judge import Judgement, Row


def finished(job: Job, status: int) -> RunResult:
    fine = status in (0, 130)
    row = Row("mts", "https://vk.com/", "control", "ok", "ok", "ok" if fine else "differs")
    judged = Judgement(job.scenario.name, job.phase, (row,), ("the censor died",) * (status == 3))
    return RunResult(
        job=job,
        scenario=job.scenario.name,
        folder=job.out or Path("runs"),
        exit_status=status,
        judgement=judged,
        problems=judged.problems or ("interrupted",) * (status > 128),
    )


@pytest.fixture
def runs(monkeypatch):
    """Runs that are only noted: (scenario, phase) -> exit status, 0 if not given; and their jobs."""
    statuses: dict[tuple[str, str | None], int] = {}
    jobs: list[Job] = []

    def execute(job: Job) -> RunResult:
        jobs.append(job)
        return finished(job, statuses.get((job.scenario.name, job.phase), 0))

    monkeypatch.setattr(every, "execute", execute)
    return statuses, jobs


def call(*args: str):
    return CliRunner().invoke(cli.testbed, ["run", "--all", *args], standalone_mode=False)


def test_every_scenario_in_every_phase(runs) -> None:
    _, jobs = runs
    done = call("--out", "all")
    assert done.return_value == 0, done.output
    expected = [(one.name, phase) for one in every.every_scenario() for phase in one.phases]
    assert len(expected) > 8
    assert [(job.scenario.name, job.phase) for job in jobs] == expected
    assert [str(job.out) for job in jobs] == [f"all/{name}-{phase}" for name, phase in expected]
    lines = done.output.splitlines()
    assert "free-network/free: as expected: 1 of 1   all/free-network-free" in lines
    assert len(lines) == len(expected)


@pytest.mark.parametrize(
    ("status", "said"), [(1, "NOT as expected; agreeing: 0 of 1"), (3, "INVALID RUN: the censor died")]
)
def test_what_is_not_as_expected_is_shown_whole(runs, status: int, said: str, tmp_path: Path) -> None:
    statuses, jobs = runs
    statuses["linkedin-ban-2016", "first-day"] = status
    done = call("--junit", str(tmp_path / "x.xml"))
    assert done.return_value == status
    assert f"linkedin-ban-2016/first-day: {said}" in done.output
    assert done.output.count("should be") == 1, "the table of one run"
    assert len(jobs) > 8, "the others are run all the same"
    assert f'<testsuites tests="{2 * len(jobs)}"' in (tmp_path / "x.xml").read_text()


def test_an_interrupt_ends_it(runs) -> None:
    statuses, jobs = runs
    statuses["linkedin-ban-2016", "first-day"] = 130
    assert call().return_value == 130
    assert jobs[-1].phase == "first-day"


def test_json_is_one_array(runs) -> None:
    found = [(one["scenario"], one["phase"], one["valid"]) for one in json.loads(call("--json").output)]
    assert ("free-network", "free", True) in found


def test_a_wrong_scenario_is_refused_before_any_run(runs, monkeypatch) -> None:
    _, jobs = runs
    monkeypatch.setattr(library, "names", lambda: ["free-network", "no-such"])
    assert isinstance(call().exception, InputError)
    assert jobs == []


@pytest.mark.parametrize(
    ("statuses", "worst"), [([], 0), ([0, 0], 0), ([0, 1], 1), ([1, 3, 0], 3), ([3, 130], 130), ([35], 35)]
)
def test_the_most_serious_status(statuses: list[int], worst: int) -> None:
    assert most_serious(statuses) == worst
