"""A built-in match key is one file: in a copy of the code, a file more is a key more, everywhere."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """\
title: One file
period: any
sources: [our choice]
operators: [mts]
censors:
  box: {profile: t22, rules: [{name: low, match: {hop_limit: {below: 12}}, action: drop}]}
phases: {only: {mts: box}}
default_phase: only
"""
ASK = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from testbed.censor.match import KEYS, Match
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.loader import load
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
sys.path.insert(0, sys.argv[2])
from tools.match_keys import table

scenario = load(sys.argv[1] + "/one.yaml")
(rule,) = scenario.phases["only"].placements[0].policy.rules
print(json.dumps({
    "keys": list(KEYS),
    "editors": scenario_schema()["$defs"]["MatchPart"]["properties"]["hop_limit"]["description"],
    "page": [line for line in table().split("\\n") if "hop_limit" in line],
    "json": rule.match.to_json(),
    "words": rule_lines(scenario),
    "made": rule.match == Match(hop_limit=rule.match["hop_limit"]),
}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "testbed", tmp_path / "testbed", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scenarios" / "worlds", tmp_path / "worlds")
    (tmp_path / "one.yaml").write_text(SCENARIO)
    return tmp_path


def ask(copy: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-B", "-c", ASK, str(copy), str(ROOT)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=copy, timeout=100)


def test_a_file_more_is_a_key_more(copy: Path) -> None:
    shutil.copy(ROOT / "examples/match/hop_limit.py", copy / "testbed/censor/match/hop_limit.py")
    done = ask(copy)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "hop_limit" in found.pop("keys")
    assert found == {
        "editors": "the packet's TTL or hop limit at the censor",
        "page": ["| `hop_limit` | the packet's TTL or hop limit at the censor | `{below: 12}` |"],
        "json": {"hop_limit": {"below": 12}},
        "words": ["box (t22) low: hop_limit below 12 -> drop"],
        "made": True,
    }


def test_without_the_file_it_is_unknown(copy: Path) -> None:
    done = ask(copy)
    assert done.returncode != 0
    assert "match.hop_limit: unknown key 'hop_limit'" in done.stderr
