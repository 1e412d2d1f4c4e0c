"""Adding to the testbed: one new file of each kind in its folder, no line changed anywhere else.

The table in docs/architecture.md says how many files each addition touches; this is its proof.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROFILE = """\
from dataclasses import replace

from testbed.censor.profiles.tspu import T22

MINE = replace(T22, name="mine", title="A box of our own")
"""

SERVICE = '''\
"""A server that greets its clients."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import PortNumber, Service


@dataclass(frozen=True, slots=True)
class Greeter(Service):
    """Sends a line to whoever connects."""

    key: ClassVar[str] = "greeter"

    port: PortNumber = 8000

    def ports(self):
        return (("tcp", self.port),)

    async def serve(self, place, ready):
        ready()
'''

ADDED = {
    "testbed/censor/actions/nothing.py": (ROOT / "examples/technique/nothing.py").read_text("utf-8"),
    "testbed/censor/match/hop_limit.py": (ROOT / "examples/match/hop_limit.py").read_text("utf-8"),
    "testbed/censor/profiles/mine.py": PROFILE,
    "testbed/measurement/kinds/greeting.py": (ROOT / "examples/probe_kind/greeting.py").read_text("utf-8"),
    "testbed/internet/services/greeter.py": SERVICE,
}

SCENARIO = """\
title: One of each
period: any
sources: [our choice]
operators: [mts]
hosts:
  greeter:
    names: greeter.example.net
    ipv4: 95.216.1.10
    ipv6: "2a01:4f9:0:1::10"
    asn: 24940
    services: [greeter: 8000]
censors:
  box:
    profile: mine
    rules:
      - {name: late, match: {hop_limit: {below: 12}}, action: nothing}
phases: {all: {mts: box}}
default_phase: all
expect:
  - {vantage: mts, target: "greeting://greeter.example.net:8000/", outcome: ok}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with one file of each kind added."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("testbed", "scenarios"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in ADDED.items():
        assert not (copy / name).exists()
        (copy / name).write_text(text, "utf-8")
    (copy / "each.yaml").write_text(SCENARIO, "utf-8")
    return copy


def run_testbed(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run that copy's `testbed`."""
    command = [sys.executable, "-c", "from testbed.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)


def test_a_scenario_may_use_one_of_each(checkout: Path) -> None:
    done = run_testbed(checkout, "check", "each.yaml")
    assert (done.returncode, done.stdout + done.stderr) == (0, "1 scenario: no problem\n")


@pytest.mark.parametrize("name", ADDED)
def test_without_the_file_it_does_not_exist(checkout: Path, name: str, tmp_path: Path) -> None:
    shutil.copytree(checkout, tmp_path / "copy")
    (tmp_path / "copy" / name).unlink()
    assert run_testbed(tmp_path / "copy", "check", "each.yaml").returncode == 2


def test_the_schema_for_editors_has_them(checkout: Path) -> None:
    schema = json.loads(run_testbed(checkout, "check", "--schema").stdout)
    text = json.dumps(schema)
    assert [word for word in ("nothing", "hop_limit", "mine", "greeter") if f'"{word}"' not in text] == []
