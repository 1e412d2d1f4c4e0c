"""A job as a value: what it accepts, what it refuses, and its way to JSON and back."""

import json
import pickle
from pathlib import Path

import pytest

from testbed import Job
from testbed.errors import InputError
from testbed.scenario.loader import load


def test_lists_and_text_are_accepted():
    job = Job("free-network", vantages=["mts"], command=["curl", "-I"], out="here", authority="ca")
    assert (job.vantages, job.command, job.out, job.authority) == (
        ("mts",),
        ("curl", "-I"),
        Path("here"),
        Path("ca"),
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": "curl -I"}, "command: 'curl -I' is text; give a list: ['curl -I']"),
        ({"vantages": "mts"}, "vantages: 'mts' is text; give a list: ['mts']"),
        ({"command": []}, "command: it is empty; name a program, or give None for the built-in probe"),
        ({"timeout": float("nan")}, "timeout: nan is out of range; give 0.2 to 60"),
        ({"timeout": 0}, "timeout: 0 is out of range; give 0.2 to 60"),
        ({"time_scale": float("nan")}, "time_scale: nan is out of range; give 0.001 to 100000"),
        ({"ipv": 5}, "ipv: 5 is no IP version; give 4 or 6"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(options, said):
    with pytest.raises(InputError) as refused:
        Job("free-network", **options)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"phase": "exat"}, "twitter-throttling-2021 has no phase 'exat'; did you mean 'exact'?"),
        ({"vantages": ["MTS"]}, "twitter-throttling-2021 has no vantage 'MTS'; did you mean 'mts'?"),
        (
            {"vantages": ["Beelin"]},
            "twitter-throttling-2021 has no vantage 'Beelin'; did you mean 'beeline'?",
        ),
    ],
)
def test_a_wrong_name_gets_the_nearest(options, said):
    with pytest.raises(InputError, match="did you mean") as refused:
        Job("twitter-throttling-2021", **options).settled()
    assert said in str(refused.value)


def test_settled_has_every_choice_made():
    job, scenario = Job("twitter-throttling-2021", command=["true"]).settled()
    assert (job.phase, job.vantages, job.seed, job.time_scale) == ("substring", ("mts",), 20210310, 1.0)
    assert scenario.name == "twitter-throttling-2021"
    job, scenario = Job("twitter-throttling-2021", phase="exact", seed=7, time_scale=10).settled()
    assert (job.phase, scenario.seed, scenario.time_scale) == ("exact", 7, 10)
    assert len(job.vantages) > 1
    assert job.settled()[0] == job


def test_there_and_back():
    job = Job("free-network", vantages=["mts"], command=["curl"], seed=3, out="x", serve=["far=nc -l 1"])
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert pickle.loads(pickle.dumps(job)) == job
    loaded = Job(load("free-network"))
    assert loaded.to_json()["scenario"].endswith("free-network.yaml")
    assert pickle.loads(pickle.dumps(loaded)) == loaded


def test_an_unknown_key_is_refused():
    with pytest.raises(InputError, match="job: unknown key 'phse'; there are: scenario, phase"):
        Job.from_json({"scenario": "free-network", "phse": "free"})
