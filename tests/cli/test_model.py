"""`--model` on the command line, and `model` of a job."""

from pathlib import Path

import pytest

from testbed.censor.models import MODELS
from testbed.cli.main import main
from testbed.cli.options import loaded
from testbed.errors import Exit, InputError, Problem
from testbed.run.job import Job

NAME = "twitter-facebook-block-2022-03"


@pytest.mark.parametrize("command", ["run", "shell"])
def test_unknown_model(command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, NAME, "--model", "RV", "--out", str(tmp_path / "run")])
    assert ended.value.code == Exit.INPUT
    assert capfd.readouterr().err == "testbed: --model: unknown model 'RV'; did you mean 'Rv'?\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", MODELS)
def test_every_censor_at_a_hop_follows_it(key: str) -> None:
    made, scenario = Job(loaded(NAME, None, None, key), vantages=("mts",)).settled()
    boxes = [place for phase in scenario.phases.values() for place in phase.placements if place.at == "hop"]
    assert {place.policy.profile.models.value for place in boxes} == {((key, 1.0),)}
    assert made.model == key


def test_a_job_by_name_has_it_too() -> None:
    made, scenario = Job(NAME, model="R", vantages=("mts",)).settled()
    assert (made.model, scenario.model) == ("R", "R")
    assert scenario == Job(loaded(NAME, None, None, "R"), vantages=("mts",)).settled()[1]


def test_without_it_the_profiles_decide() -> None:
    made, scenario = Job(NAME, vantages=("mts",)).settled()
    assert (made.model, scenario.model) == (None, "")
    assert scenario == loaded(NAME, None, None)


def test_a_job_with_an_unknown_model() -> None:
    with pytest.raises(InputError) as caught:
        Job(NAME, model="Q").settled()
    assert caught.value.problems == (
        Problem("model", "unknown model 'Q'", "there are: A, C, D, Dv, P, R, Rl, Rv, Rvm, T"),
    )
