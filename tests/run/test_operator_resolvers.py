"""Who serves the operators' own resolvers: one process all that never lie, and each of the others its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed import open_world
from testbed.model import Host
from testbed.run.open import StandingWorld
from testbed.run.resolvers import served_alone
from testbed.scenario.loader import load
from tests.meddling import service

SCENARIO = """\
title: A resolver that lies in one phase
period: any
sources: [our choice]
operators: [mts, beeline, megafon]
censors:
  liar:
    profile: leg-dns
    at: resolver
    rules: [{name: lie, match: {dns.qname: [vk.com]}, action: {dns: {a: 203.0.113.7}}}]
phases:
  usual: {title: nobody lies}
  lying: {title: one lies, mts: liar}
default_phase: usual
expect:
  - {target: "https://ok.ru/", outcome: ok}
controls: ["https://ok.ru/"]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return path


def test_a_resolver_that_lies_in_a_phase_of_the_run_has_a_process_of_its_own(scenario: Path) -> None:
    loaded = load(scenario)
    assert served_alone(loaded, ["usual"]) == set()
    assert served_alone(loaded, ["usual", "lying"]) == {"mts"}


def test_so_have_all_where_a_host_has_a_zone_of_its_own(scenario: Path) -> None:
    loaded = load(scenario)
    asking = replace(loaded.world, hosts=(Host("ns", zones=("t.example",)),))
    assert {"mts", "beeline", "megafon"} <= served_alone(replace(loaded, world=asking), ["usual"])


@pytest.fixture
def standing(scenario: Path) -> Iterator[StandingWorld]:
    with open_world(scenario, name="resolvers", out=scenario.parent / "run") as world:
        yield world


def asked(world: StandingWorld, name: str) -> dict[str, str]:
    """What the resolver of each operator answers."""
    command = ["dig", "+short", "+tries=1", "+time=2", name]
    return {
        vantage: world.run(command, vantage=vantage, capture_output=True, text=True).stdout.strip()
        for vantage in ("mts", "beeline", "megafon")
    }


@pytest.mark.world
def test_each_answers_from_its_own_place_and_goes_on_while_another_begins_to_lie(
    standing: StandingWorld, tmp_path: Path
) -> None:
    own = {one.key: one.resolver4 for one in load(tmp_path / "scenario.yaml").world.operators}
    seen = {vantage: own[vantage] for vantage in ("mts", "beeline", "megafon")}
    assert asked(standing, "whoami.akamai.net") == seen
    together, honest = service("resolvers", tmp_path), service("mts.resolver", tmp_path)

    standing.phase("lying")
    assert asked(standing, "whoami.akamai.net") == seen
    told = asked(standing, "vk.com")
    assert (told["mts"], told["beeline"]) == ("203.0.113.7", told["megafon"])
    assert told["beeline"] != "203.0.113.7"
    assert service("mts.resolver", tmp_path) != honest
    assert service("resolvers", tmp_path) == together
