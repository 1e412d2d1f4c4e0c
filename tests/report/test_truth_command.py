"""`testbed truth` on the library's own scenarios."""

import json

import pytest
from click.testing import CliRunner

from testbed.cli.truth import command
from testbed.errors import InputError
from testbed.scenario.labels import LABELS


def test_as_json():
    result = CliRunner().invoke(command, ["free-network", "--json"], standalone_mode=False)
    found = json.loads(result.output)
    assert (found["scenario"], found["phase"]) == ("free-network", "free")
    assert {one["outcome"] for one in found["truth"]} == {"ok"}
    assert "outside" in {one["vantage"] for one in found["truth"]}


def test_a_table_says_what_must_be_and_by_which_rule():
    chosen = ["twitter-throttling-2021", "--phase", "substring", "--vantage", "beeline"]
    lines = CliRunner().invoke(command, chosen, standalone_mode=False).output.splitlines()
    slow = next(line.split() for line in lines if "abs.twimg.com" in line)
    assert slow[1:] == ["tls", "throttle:", "130-150", "kbit/s", "twitter-policer"]
    assert any(line.startswith("throttle") and LABELS["throttle"] in line for line in lines)
    assert not any("MTS" in line for line in lines)


@pytest.mark.parametrize("option", [["--phase", "substrin"], ["--vantage", "belline"]])
def test_a_wrong_name_gets_the_nearest(option):
    result = CliRunner().invoke(command, ["twitter-throttling-2021", *option], standalone_mode=False)
    assert isinstance(result.exception, InputError)
    assert "did you mean" in str(result.exception)
