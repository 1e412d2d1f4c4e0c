"""`testbed list`, `show` and `check`, as a person or a program calls them."""

import json
import os
from pathlib import Path

import pytest

from tests.scenario.conftest import SCENARIO, WORLD
from tests.warm import ROOT, WarmDone, run_warm


def call(*args: str, cwd: Path | None = None) -> WarmDone:
    environment = {**os.environ, "NO_COLOR": "1"}
    return run_warm(*args, cwd=cwd or ROOT, env=environment, timeout=600)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(WORLD)
    (tmp_path / "x.yaml").write_text(SCENARIO)
    return tmp_path


def test_list(folder: Path) -> None:
    done = call("list", cwd=folder)
    assert done.status == 0
    assert "twitter-throttling-2021" in done.out
    assert "phases: before, substring*, suffix, exact" in done.out
    assert "circumvention: split-segments, split-records, padded-hello" in done.out


def test_list_json(folder: Path) -> None:
    rows = json.loads(call("list", "--json", cwd=folder).out)
    row = next(row for row in rows if row["name"] == "twitter-throttling-2021")
    assert row["phases"] == ["before", "substring", "suffix", "exact", "mobile-only"]
    assert row["default_phase"] == "substring"
    assert row["vantages"][-1] == "outside"
    assert row["circumvention"][:2] == ["split-segments", "split-records"]


def test_list_names_a_broken_scenario_and_lists_the_others(folder: Path) -> None:
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "mine.yaml").write_text("title: [a")
    done = call("list", cwd=folder)
    assert done.status == 2
    assert done.err.startswith(
        "mine: scenarios/mine.yaml:2: not YAML: while parsing a flow sequence that begins on line 1"
    )
    assert "free-network" in done.out


def test_show() -> None:
    done = call("show", "twitter-throttling-2021")
    assert done.status == 0
    for part in (
        "Twitter slowed down",
        "police",
        "substring (default)",
        "tspu-exact at hop 2",
        "IMC21",
        "AS12389",
    ):
        assert part in done.out


def test_show_json_is_the_resolved_scenario(folder: Path) -> None:
    shown = json.loads(call("show", "./x.yaml", "--json", cwd=folder).out)
    assert shown["phases"]["block"]["placements"][0]["name"] == "mts/tspu"
    assert shown["files"].keys() == {"x.yaml", "small.yaml"}


def test_show_suggests_the_nearest() -> None:
    done = call("show", "free-netwrok")
    assert done.status == 2
    assert "did you mean 'free-network'?" in done.err


@pytest.mark.timeout(660)  # every expectation is asked: 20 s of a processor
def test_check_all() -> None:
    done = call("check")
    assert done.status == 0
    assert done.out.endswith("no problem\n")


def test_check_prints_every_problem(folder: Path) -> None:
    (folder / "x.yaml").write_text(SCENARIO.replace("t22", "t222").replace("[our choice]", "[a"))
    (folder / "y.yaml").write_text(SCENARIO.replace("vk.com", "vk.co").replace("title", "titel"))
    done = call("check", "./x.yaml", "y.yaml", cwd=folder)
    assert done.status == 2
    first, second, third = done.err.splitlines()
    assert first.startswith("x.yaml:4: not YAML")
    assert second == "y.yaml:1 titel: unknown key 'titel'; did you mean 'title'?"
    assert "answers to 'vk.co'" in third
    assert done.out == "2 scenarios: 3 problems\n"


def test_check_json(folder: Path) -> None:
    (folder / "x.yaml").write_text(SCENARIO.replace("t22", "t222"))
    done = call("check", "--json", "x.yaml", cwd=folder)
    assert json.loads(done.out) == [
        {
            "place": "x.yaml:7 censors.tspu.profile",
            "message": "unknown profile 't222'",
            "remedy": "did you mean 't22'?",
        }
    ]


def test_show_names_the_tools() -> None:
    shown = call("show", "twitter-throttling-2021").out.partition("\ncircumvention\n")[2]
    assert (
        "substring: split-segments  https://abs.twimg.com/bytes/140000 from mts, obit must get through"
        in shown
    )
    assert "other-resolver  https://abs.twimg.com/bytes/140000 from mts must fail by twitter-policer" in shown


def test_the_schema_of_recipes() -> None:
    schema = json.loads(call("check", "--schema", "recipe").out)
    assert {"client", "server", "proxy", "resolver", "programs"} <= schema["properties"].keys()
    assert "ServiceCall" in schema["$defs"]


@pytest.mark.parametrize("what", [[], ["scenario"], ["world"]])
def test_check_schema(what: list[str]) -> None:
    schema = json.loads(call("check", "--schema", *what).out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    keys = schema["properties"]
    assert ("resolvers" in keys) == (what == ["world"])
    if what != ["world"]:
        actions = schema["$defs"]["RulePart"]["properties"]["action"]["anyOf"][0]["enum"]
        assert {"police", "rst-rewrite", "dns"} <= set(actions)
        assert schema["$defs"]["Action"]["properties"].keys() == set(actions)
