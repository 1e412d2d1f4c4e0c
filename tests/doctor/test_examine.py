"""The catalogue and what is asked of it."""

import pytest

from testbed import doctor
from testbed.doctor.checks import FEATURES
from testbed.errors import InputError


def test_every_feature_says_what_it_costs_and_how_to_get_it():
    for feature in FEATURES.values():
        assert feature.title
        assert feature.cost
        assert feature.remedy


def test_an_unknown_feature_suggests_the_nearest():
    with pytest.raises(InputError, match=r"unknown feature 'nfqeue'; did you mean 'nfqueue'\?"):
        doctor.examine(["nfqeue"])


def test_nothing_asked_nothing_tried():
    assert doctor.missing([]) == []


def test_a_program_that_is_not_in_the_path_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = doctor.examine(["curl"])
    assert (finding.present, finding.detail) == (False, "not installed")
    assert finding.remedy == "sudo apt-get install curl"
    assert doctor.missing(["curl"]) == [FEATURES["curl"]]


def test_a_program_that_does_not_run_is_missing(monkeypatch, tmp_path):
    curl = tmp_path / "curl"
    curl.write_text("#!/bin/sh\necho no library >&2; exit 127\n")
    curl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = doctor.examine(["curl"])
    assert (finding.present, finding.detail) == (False, "curl: no library")


def test_a_program_that_runs_is_present(monkeypatch, tmp_path):
    curl = tmp_path / "curl"
    curl.write_text("#!/bin/sh\necho curl of a test\n")
    curl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = doctor.examine(["curl"])
    assert (finding.present, finding.detail) == (True, "curl of a test")


@pytest.mark.world
def test_a_machine_that_can_run_worlds_lacks_nothing_required():
    assert doctor.missing() == []
