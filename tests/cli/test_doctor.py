"""`testbed doctor`: what it prints and how it ends."""

import json

import pytest
from click.testing import CliRunner

from testbed import doctor
from testbed.cli.doctor import command
from testbed.doctor import Feature, Finding, Need


def finding(need, *, present):
    feature = Feature("veth", "veth links", need, "no world", "modprobe veth", lambda: "")
    return Finding(feature, present, "seen", "" if present else feature.remedy)


@pytest.fixture
def report(monkeypatch):
    def tell(*findings, args=()):
        monkeypatch.setattr(doctor, "examine", lambda: list(findings))
        result = CliRunner().invoke(command, args, standalone_mode=False)
        assert result.exception is None
        return result.return_value, result.output

    return tell


def test_all_there_is_0(report):
    status, text = report(finding(Need.REQUIRED, present=True))
    assert status == 0
    assert "yes  veth links" in text
    assert "worlds can be built" in text
    assert "get it" not in text


def test_a_missing_required_feature_is_4_with_cost_and_remedy(report):
    status, text = report(finding(Need.REQUIRED, present=False))
    assert status == 4
    assert "no   veth links" in text
    assert "costs:  no world" in text
    assert "get it: modprobe veth" in text
    assert "worlds cannot be built without: veth links" in text


@pytest.mark.parametrize("need", [Need.OPTIONAL, Need.INFORMATION])
def test_a_missing_feature_that_is_not_required_is_0(report, need):
    assert report(finding(need, present=False))[0] == 0


def test_json_says_the_same(report):
    status, text = report(finding(Need.REQUIRED, present=False), args=["--json"])
    assert status == 4
    assert json.loads(text) == {
        "ok": False,
        "features": [
            {
                "name": "veth",
                "title": "veth links",
                "need": "required",
                "present": False,
                "detail": "seen",
                "cost": "no world",
                "remedy": "modprobe veth",
            }
        ],
    }


@pytest.mark.world
def test_the_whole_examination_for_real():
    result = CliRunner().invoke(command, ["--json"], standalone_mode=False)
    report = json.loads(result.output)
    assert report["ok"] is True
    assert result.return_value == 0
    assert {feature["name"] for feature in report["features"]} >= {"nfqueue", "curl", "netem"}
