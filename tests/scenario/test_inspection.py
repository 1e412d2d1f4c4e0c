"""`model:` of a censor: how it inspects, instead of its profile's."""

from dataclasses import replace

import pytest

from testbed.censor.models import MODELS
from testbed.censor.profiles import PROFILES
from testbed.errors import InputError, Problem
from testbed.model import Scenario
from testbed.scenario.inspection import with_model
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.loader import policy_again
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
from tests.scenario.conftest import Desk

PROFILE = "    profile: t22\n"


def models(scenario: Scenario) -> tuple[tuple[str, float], ...]:
    (placement,) = scenario.phases["block"].placements
    return placement.policy.profile.models.value


def with_line(desk: Desk, line: str) -> Scenario:
    return desk.load(PROFILE, f"{PROFILE}    {line}\n")


@pytest.mark.parametrize("key", MODELS)
def test_every_model_may_be_given(key: str, desk: Desk) -> None:
    assert models(with_line(desk, f"model: {key}")) == ((key, 1.0),)


def test_shares(desk: Desk) -> None:
    assert models(with_line(desk, "model: {T: 70 %, R: 0.3}")) == (("T", 0.7), ("R", 0.3))


def test_without_it_the_profile_decides(desk: Desk) -> None:
    assert models(desk.load()) == PROFILES["t22"].models.value == (("T", 1.0),)
    assert models(desk.load("t22", "t26")) == (("T", 0.5), ("R", 0.5))


def test_nothing_else_of_the_profile_changes(desk: Desk) -> None:
    (placement,) = with_line(desk, "model: Rv").phases["block"].placements
    profile = placement.policy.profile
    assert replace(profile, models=PROFILES["t22"].models) == PROFILES["t22"]


def test_shown_in_words_and_in_json(desk: Desk) -> None:
    assert rule_lines(with_line(desk, "model: R")) == [
        "tspu (t22, model R) reset: tls.sni twitter.com -> rst-rewrite"
    ]
    assert rule_lines(with_line(desk, "model: {T: 70 %, R: 30 %}")) == [
        "tspu (t22, model T 70 %, R 30 %) reset: tls.sni twitter.com -> rst-rewrite"
    ]
    placement = to_json(desk.load())["phases"]["block"]["placements"][0]
    assert (placement["profile"], placement["models"]) == ("t22", {"T": 0.7, "R": 0.3})


def test_shown_in_words_only_where_it_differs(desk: Desk) -> None:
    assert rule_lines(desk.load()) == ["tspu (t22) reset: tls.sni twitter.com -> rst-rewrite"]


WRONG = {
    "unknown": ("model: RV", ".model", "unknown model 'RV'", "did you mean 'Rv'?"),
    "far from all": (
        "model: xyz",
        ".model",
        "unknown model 'xyz'",
        "there are: A, C, D, Dv, P, R, Rl, Rv, Rvm, T",
    ),
    "unknown in shares": ("model: {T: 50 %, Q: 50 %}", ".model.Q", "unknown model 'Q'", "there are: A, C, D"),
    "too little": (
        "model: {T: 50 %, R: 40 %}",
        ".model",
        "the shares of the models add up to 90 %",
        "make them add up to 100 %",
    ),
    "too much": (
        "model: {T: 1, R: 1}",
        ".model",
        "the shares of the models add up to 200 %",
        "make them add up to 100 %",
    ),
    "nothing": ("model: {}", ".model", "the shares of the models add up to 0 %", "make them add up to 100 %"),
    "no share": ("model: {T: half}", ".model.T", "'half' is not a share", "write it like 5 % or 0.05"),
    "a list": ("model: [T, R]", ".model", "expected key: value pairs", "key: value"),
    "a number": ("model: 5", ".model", "expected key: value pairs", "key: value"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_models(case: str, desk: Desk) -> None:
    line, place, message, remedy = WRONG[case]
    problem = desk.problem(PROFILE, f"{PROFILE}    {line}\n")
    assert problem.place == f"x.yaml:8 censors.tspu{place}"
    assert message in problem.message
    assert remedy in problem.remedy


def test_a_resolver_has_none(desk: Desk) -> None:
    desk.rule("{dns.qname: a.com}", "{dns: {a: 1.2.3.4}}", profile="leg-dns\n    at: resolver\n    model: R")
    problem = desk.problem()
    assert (problem.message, problem.remedy) == ("a resolver inspects no packets", "leave it out")


def test_for_every_censor_at_a_hop(desk: Desk) -> None:
    scenario = with_line(desk, "model: {T: 70 %, R: 30 %}")
    changed = with_model(scenario, "Dv")
    assert (models(changed), changed.model) == ((("Dv", 1.0),), "Dv")
    assert models(scenario) == (("T", 0.7), ("R", 0.3))


def test_not_for_resolvers(desk: Desk) -> None:
    load = desk.rule("{dns.qname: a.com}", "{dns: {a: 1.2.3.4}}", profile="leg-dns\n    at: resolver")
    assert with_model(load(), "R").phases == load().phases


def test_unknown_for_every_censor(desk: Desk) -> None:
    with pytest.raises(InputError) as caught:
        with_model(desk.load(), "rvm")
    assert caught.value.problems == (Problem("--model", "unknown model 'rvm'", "did you mean 'Rvm'?"),)


def test_lists_read_again_keep_it(desk: Desk) -> None:
    running = with_model(desk.load(), "R").phases["block"].placements[0].policy
    again = policy_again(desk.path, "block", "mts/tspu", "R")
    assert again.profile == running.profile
    assert policy_again(desk.path, "block", "mts/tspu").profile != running.profile


def test_editors_know_them() -> None:
    names, shares, _ = scenario_schema()["$defs"]["CensorPart"]["properties"]["model"]["anyOf"]
    assert names == shares["propertyNames"] == {"enum": list(MODELS)}
