"""The shipped recipes with the real tools: through a filter of names; tunnels are cut abroad, not at home."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.run.toolneeds import missing
from testbed.scenario.recipes import load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.world]
RECIPES = Path(__file__).parents[2] / "recipes"
HEAD = """\
title: Names are filtered, and tunnels to foreign hosts are cut after some data
period: any
sources: [our choice]
operators: [mts]
censors:
  names: {profile: t22, rules: [{name: names, match: {tls.sni: twitter.com}, action: rst-rewrite}]}
  tunnels:
    profile: t23
    rules:
      - {name: home, match: {ip: "country:RU"}, action: allow}
      - {name: openvpn-data, match: {protocol: openvpn}, action: {data-drop: {protocol: openvpn}}}
      - {name: wireguard-data, match: {protocol: wireguard}, action: {data-drop: {protocol: wireguard}}}
phases: {before: {mts: names}, cut: {mts: [tunnels, names]}}
default_phase: cut
expect: [{vantage: mts, target: "https://twitter.com/", outcome: tls.sni.rst, by: names}]
controls: ["https://vk.com/"]
circumvention:
"""
ENTRY = '  - {{name: {name}, recipe: {recipe}, phase: {phase}, target: "https://twitter.com/"{more}}}\n'


def tried(folder: Path, phase: str, *entries: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Method -> what the tool came to, and the verdict."""
    given = [{"phase": phase, "more": "", "name": one["recipe"], **one} for one in entries]
    (folder / "x.yaml").write_text(HEAD + "".join(ENTRY.format(**one) for one in given))
    line = [
        str(Path(sys.executable).parent / "testbed"),
        "run",
        "x.yaml",
        "--phase",
        phase,
        "--circumvention",
    ]
    done = subprocess.run(
        [*line, "--json"],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.stdout, done.stderr
    return {
        row["name"]: (row["observed"], row["verdict"]) for row in json.loads(done.stdout)["circumvention"]
    }


def needed(*names: str) -> None:
    """Skip by the name of what is missing."""
    lacking = [missing(load_recipe(RECIPES / f"{name}.yaml")) for name in names]
    if any(lacking):
        pytest.skip("; ".join(dict.fromkeys(filter(None, lacking))))


OTHER_TARGETS = ("ccs-first", "quic-decoy", "quic-draft-29")  # not a name over TLS 1.3 at an ordinary server
EVERY = sorted({path.stem for path in RECIPES.glob("*.yaml")} - {*OTHER_TARGETS})


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What every recipe came to whose tools this machine has, in one world."""
    here = [name for name in EVERY if not missing(load_recipe(RECIPES / f"{name}.yaml"))]
    return tried(tmp_path_factory.mktemp("all"), "before", *({"recipe": name} for name in here))


@pytest.mark.timeout(900)  # fifty tools in one world, one after another: two to five minutes
@pytest.mark.parametrize("name", EVERY)
def test_it_gets_through(name, all_at_once):
    needed(name)
    assert all_at_once[name] == ("ok", "ok")


@pytest.mark.parametrize("name", ["openvpn", "wireguard"])
def test_a_tunnel_is_cut_abroad_and_spared_at_home(name, tmp_path):
    needed(name)
    abroad = {"recipe": name, "more": f", fails_by: {name}-data"}
    home = {"recipe": name, "name": "home", "more": ", server: domestic"}
    found = tried(tmp_path, "cut", abroad, home)
    assert found["home"] == ("ok", "ok")
    assert found[name][1] == "ok"
    assert found[name][0] != "ok"


def test_a_tunnel_that_is_not_recognised_is_not_cut(tmp_path):
    needed("wireguard-masked")
    masked, plain = (
        {"recipe": "wireguard-masked"},
        {"recipe": "wireguard", "more": ", fails_by: wireguard-data"},
    )
    found = tried(tmp_path, "cut", masked, plain)
    assert found["wireguard-masked"] == ("ok", "ok")
    assert found["wireguard"][1] == "ok"
