"""The library's scenarios are sound, and are found by name."""

import json
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
from tests.scenario.conftest import SCENARIO, WORLD

LIBRARY = [
    "cloudflare-ech-2024",
    "dns-hijack-2026",
    "dns-outages-2021",
    "eu-rt-sputnik-2022",
    "false-friends",
    "free-network",
    "freeze-16kb-2025",
    "instagram-block-2022-03",
    "kharkiv-outages-2022",
    "kremlin-site-down-2022",
    "linkedin-ban-2016",
    "mobile-allowlist-2025",
    "ooni-vectors",
    "still-blocked-2022-12",
    "telegram-ip-blocking-2018",
    "tor-block-2021",
    "twitter-facebook-2022-02",
    "twitter-facebook-block-2022-03",
    "twitter-throttling-2021",
    "vpn-blocking-2023",
    "youtube-2024",
]


def test_the_scenarios_are_there() -> None:
    assert set(LIBRARY) == set(library.names())


NOT_MET = {"quic-names", "snowflake-hello", "sni4"}
"""Rules that the probe does not meet: its QUIC Initials are padded as Firefox's, unread in 2022; no server of
the world answers a SYN with a SYN, which is what sni4 is for; it sends no DTLS."""


@pytest.mark.parametrize("name", LIBRARY)
def test_scenario_is_complete(name: str) -> None:
    scenario = load(name)
    assert scenario.sources
    assert scenario.notes
    assert len(scenario.controls) >= 2
    assert any(each.phase == scenario.default_phase for each in scenario.expect)
    for phase, part in scenario.phases.items():
        for place in part.placements:
            rules = {rule.name for rule in place.policy.rules if rule.action.key != "allow"}
            caused = {e.by for e in scenario.expect if (e.phase, e.vantage) == (phase, place.operator)}
            assert rules - NOT_MET <= caused, f"{phase}: {place.name} has rules that no expectation shows"


@pytest.mark.parametrize("name", LIBRARY)
def test_json_is_stable(name: str) -> None:
    text = json.dumps(to_json(load(name)))
    assert text == json.dumps(to_json(load(name)))
    assert json.loads(text)["name"] == name
    assert str(Path.cwd()) not in text


def test_throttling_hits_mobile_and_spares_rostelecom() -> None:
    scenario = load("twitter-throttling-2021")
    assert {place.operator for place in scenario.phases["substring"].placements} == {
        "mts",
        "beeline",
        "megafon",
        "tele2",
        "obit",
    }
    assert scenario.phases["before"].placements == ()
    police = scenario.phases["substring"].placements[0].policy.rules[0].action
    assert (police.rate, police.burst, police.idle) == (140_000.0, 16384, 600.0)
    slow = [e for e in scenario.expect if e.outcome == "throttle"]
    assert all(e.rate == (130_000.0, 150_000.0) for e in slow)


def test_lies_are_the_operators_own() -> None:
    lies = {place.operator: place for place in load("linkedin-ban-2016").phases["everywhere"].placements}
    assert lies["ertelecom"].at == "resolver"
    assert lies["ertelecom"].policy.rules[0].action.a == ("5.3.3.17",)
    assert lies["beeline"].policy.rules[1].action.location == "http://blackhole.beeline.ru/"
    assert lies["rostelecom"].policy.rules[1].action.location == "http://warning.rt.ru/"
    assert lies["rostelecom"].hop == 5


def test_long_lists_are_digests(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(WORLD)
    (tmp_path / "names.txt").write_text("".join(f"a{n}.com\n" for n in range(100)))
    path = tmp_path / "x.yaml"
    path.write_text(SCENARIO.replace("[twitter.com]", "{file: names.txt}"))
    match = to_json(load(path))["phases"]["block"]["placements"][0]["rules"][0]["match"]
    assert match["tls.sni"]["count"] == 100
    assert match["tls.sni"]["source"].startswith("names.txt sha256:")


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        load("twitter-throtling-2021")
    assert caught.value.problems[0].remedy == "did you mean 'twitter-throttling-2021'?"


@pytest.mark.parametrize("name", ["", "\0", "a" * 5000, "..", "/", "x\ny"])
def test_impossible_names(name: str) -> None:
    with pytest.raises(InputError):
        load(name)


def test_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, here = tmp_path / "mine", tmp_path / "scenarios"
    for folder, title in ((mine, "first"), (here, "second")):
        (folder / "worlds").mkdir(parents=True)
        (folder / "worlds" / "small.yaml").write_text(WORLD)
        (folder / "one.yaml").write_text(SCENARIO.replace("small.yaml", "small").replace("A test", title))
    monkeypatch.chdir(tmp_path)
    assert load("one").title == "second"
    monkeypatch.setenv("TESTBED_SCENARIOS", str(mine))
    assert load("one").title == "first"
    assert {"one", "free-network"} <= set(library.names())


def test_operators_are_a_choice_of_the_world() -> None:
    assert [operator.key for operator in load("free-network").world.operators] == ["rostelecom", "mts"]
    assert load("free-network").vantages() == ("rostelecom", "mts", "outside")


def test_all_spares_operators_with_a_line_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(WORLD)
    (tmp_path / "x.yaml").write_text(SCENARIO.replace("{mts: tspu}", "{all: tspu, obit: []}"))
    assert [place.name for place in load(tmp_path / "x.yaml").phases["block"].placements] == ["mts/tspu"]


@pytest.mark.parametrize("name", LIBRARY)
def test_a_rule_is_told_in_one_line(name: str) -> None:
    """Also where it sends a page of many lines: a document shows it as code."""
    assert [line for line in rule_lines(load(name)) if "\n" in line] == []
