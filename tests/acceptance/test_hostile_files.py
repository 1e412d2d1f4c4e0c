"""A hostile technique and a hostile scenario file: what docs/security.md says of them."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED
from tests.acceptance.test_isolation import ABSTRACT, assert_confined, machine

pytestmark = pytest.mark.world("curl", "unix-diag")

SCENARIO = """\
title: Hostile
period: any
sources: [our choice]
operators: [mts]
censors:
  box:
    profile: t22
    rules: [{name: rule, match: {tls.sni: [twitter.com]}, action: {"hostile.py:Hostile": {}}}]
phases: {p: {mts: box}}
default_phase: p
controls: ["https://vk.com/"]
"""

# A technique is rehearsed outside when it is loaded, and asked inside when its rule matches.
TECHNIQUE = """\
import json, os, signal, socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from testbed.censor.actions.base import Action, Context
from testbed.censor.decision import PASS, Decision

INSIDE = Path("/run/testbed/world")

def reach(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(0.5)
        try:
            one.connect(address)
        except OSError as error:
            return error.strerror
    return "connected"

@dataclass(frozen=True, slots=True)
class Hostile(Action):
    key: ClassVar[str] = "hostile"

    def on_match(self, ctx: Context) -> Decision:
        where = "inside" if INSIDE.is_file() else "outside"
        {deed}
        return PASS

    def on_packet(self, ctx: Context) -> Decision:
        return PASS

    def holds_for(self, profile):
        return 1.0
"""

TO_THE_MACHINE = (
    "tried = [reach(socket.AF_INET, ('127.0.0.1', {port})), reach(socket.AF_UNIX, {path!r}),"
    " reach(socket.AF_UNIX, '\\0{abstract}'),"
    " *[reach(socket.AF_INET, ('192.0.2.1', 80)) for _ in range(where == 'inside')]];"
    " (Path(__file__).parent / where).write_text(json.dumps(tried))"
)
KILL = "where == 'inside' and os.kill(os.getppid(), signal.SIGKILL)"


def write(folder: Path, deed: str) -> str:
    (folder / "hostile.py").write_text(TECHNIQUE.replace("{deed}", deed))
    (folder / "x.yaml").write_text(SCENARIO)
    return "./x.yaml"


def test_a_technique_reaches_nothing_of_the_machine_from_inside(testbed, tmp_path: Path) -> None:
    with machine() as reachable:
        port, path = reachable.variables["HOST_PORT"], reachable.sockets[0]
        scenario = write(tmp_path, TO_THE_MACHINE.format(port=port, path=path, abstract=ABSTRACT))
        done = testbed(scenario, "--vantage", "mts", "--", "curl", "-s", "https://twitter.com/")
    assert done.status == 0, done.err
    # Its file is a program of the user's, which `run` loads outside: the twin.
    assert json.loads((tmp_path / "outside").read_text())[:3] == ["connected"] * 3
    inside = json.loads((tmp_path / "inside").read_text())
    assert inside[:3] == ["Connection refused"] * 3
    assert inside[3] != "connected"


def test_a_technique_that_kills_the_run_makes_it_invalid_and_leaves_nothing(testbed, tmp_path: Path) -> None:
    scenario = write(tmp_path, KILL)
    done = testbed(scenario, "--vantage", "mts", "--", "curl", "-s", "https://twitter.com/")
    assert done.status == 3
    assert "the run's main process was killed by SIGKILL" in done.err
    assert not done.summary["valid"]
    healthy = testbed(write(tmp_path, "pass"), "--vantage", "mts", "--", "curl", "-s", "https://twitter.com/")
    assert healthy.status == 0, healthy.err


HOST = """
hosts:
  vpn:
    names: [vpn.example.net]
    ipv4: 95.216.1.10
    ipv6: "2a01:4f9:0:1::10"
    asn: 24940
    services:
      - command:
          run: "%s > tried && mv tried tried.json; exec sleep 60"
          ready: {file: tried.json, within: 40 s}
"""


def test_a_command_in_a_scenario_file_is_confined_and_check_does_not_run_it(testbed, tmp_path: Path) -> None:
    with machine() as reachable:
        run = " ".join(reachable.command)
        path = Path(write(tmp_path, "pass"))
        (tmp_path / path).write_text(SCENARIO + HOST % run)
        checked = subprocess.run(
            [TESTBED, "check", str(path)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, (tmp_path / "tried.json").exists()) == (0, False), checked.stdout
        done = testbed(str(path), "--vantage", "mts", "--", "true", env=reachable.variables)
    assert done.status == 0, done.err
    found = json.loads((tmp_path / "tried.json").read_text())
    assert found["sees"]["hosts"].pop() == "vpn"
    assert found["sees"]["processes"] >= 3  # its shell
    found["sees"]["processes"] = 2
    assert_confined(found)


BOMB = "".join(
    f"{name}: &{name} [{', '.join(['x' if before is None else f'*{before}'] * 9)}]\n"
    for name, before in zip("abcdefgh", (None, *"abcdefg"), strict=True)
)


def test_a_file_that_would_fill_the_memory_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"title: Bomb\n{BOMB}operators: *h\n")
    began = time.monotonic()
    line = ["prlimit", "--as=2000000000", TESTBED, "check", "./x.yaml"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "the file is too large" in done.stderr
    assert time.monotonic() - began < 30
