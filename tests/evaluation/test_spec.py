"""What an evaluation tries, and in which order."""

import sys
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.evaluation.spec import (
    EvaluationSpec,
    command_line,
    detector_of,
    regex_of,
    rounds,
    trials_of,
    worlds_of,
)
from testbed.scenario.loader import load

SCENARIO = load("twitter-throttling-2021")


def spec(**more):
    return EvaluationSpec(
        **{"detector": "curl", "adapter": "curl", "command": ("curl", "{target}"), "scenarios": ("s",)} | more
    )


def order(made):
    return [[trial.target for trial in one.trials] for one in made]


def test_a_target_is_put_in_its_place_without_a_shell():
    words = ("check", "--url={target}", "{host}:{port}", "{path}")
    assert command_line(words, "https://a.example:8443/x?a=1&b=$(id)") == [
        "check", "--url=https://a.example:8443/x?a=1&b=$(id)", "a.example:8443", "/x",
    ]  # fmt: skip
    assert command_line(("{port}",), "http://a.example/") == ["80"]


def test_what_a_detector_may_be():
    assert detector_of("probe", None)[0] == ()
    words, reader = detector_of("curl", None)
    assert (words[0], words[-1], reader.name) == ("curl", "{target}", "curl")
    words, reader = detector_of("check --json '{target}'", "plain")
    assert (words, reader.name) == (("check", "--json", "{target}"), "plain")
    assert detector_of("check {host}", None)[1].name == "exit-status"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ooni", "the adapter 'ooni' has no command of its own"),
        ("crul", "there is no adapter 'crul'"),
        ("check --all", "takes no target"),
        ("check '{target}", "No closing quotation"),
    ],
)
def test_what_it_may_not_be(text, message):
    with pytest.raises(InputError, match=message):
        detector_of(text, None)


def test_a_stop_condition_is_a_regular_expression():
    with pytest.raises(InputError, match="is no regular expression"):
        regex_of("(")


def test_every_trial_is_in_exactly_one_round_of_each_repeat():
    made = list(rounds(spec(repeats=3), SCENARIO, "exact"))
    tried = [(t.place, t.repeat) for one in made for t in one.trials]
    expected = [(t.place, repeat) for t in trials_of(spec(), SCENARIO, "exact") for repeat in (1, 2, 3)]
    assert sorted(tried) == sorted(expected)
    assert all(len({t.vantage for t in one.trials}) == len(one.trials) for one in made)


def test_controls_are_among_the_others_in_another_order_each_time():
    again = [order(rounds(spec(seed=seed, repeats=2), SCENARIO, "exact")) for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    half = len(again[0]) // 2
    assert again[0][:half] != again[0][half:]
    last = {
        round_.trials[0].role
        for seed in range(20)
        for round_ in list(rounds(spec(seed=seed), SCENARIO, "exact"))[-1:]
    }
    assert last == {"control", "expectation"}


def test_what_cannot_be_given_to_a_detector_is_not_tried():
    schemes = {t.scheme for t in trials_of(spec(), load("twitter-facebook-block-2022-03"), "block")}
    assert schemes == {"http", "https"}
    schemes = {
        t.scheme for t in trials_of(spec(adapter="probe"), load("twitter-facebook-block-2022-03"), "block")
    }
    assert schemes > {"http", "https", "h3"}


def test_phases_that_share_a_world():
    assert worlds_of(SCENARIO) == [tuple(SCENARIO.phases)]


def test_a_spec_is_json_and_back():
    made = spec(repeats=3, env=("A=1",))
    assert EvaluationSpec.from_json(made.to_json()) == made
    with pytest.raises(InputError, match="of another version"):
        EvaluationSpec.from_json({"mood": 1})


def test_our_own_command_is_found_wherever_the_path_leads():
    own = str(Path(sys.executable).with_name("testbed"))
    assert command_line(("testbed", "probe", "{target}"), "https://a/") == [own, "probe", "https://a/"]
