"""A small scenario: two operators, one censor with two rules, one clean operator."""

from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.measurement.kinds import parse
from testbed.model import Expectation, Operator, Phase, Placement, Scenario, World

from .timelines import fine, flow_of, measured


def rule(name, action):
    return Rule(name, Match(tls_sni=NameList(("blocked.example",))), action)


def operator(key, name, number):
    prefixes = ip_network(f"10.{number}.0.0/16"), ip_network(f"2001:db8:{number}::/48")
    return Operator(key, name, 100 + number, "RU", "mobile", *prefixes)


BLOCKED, SLOW, CONTROL = (
    "https://blocked.example/",
    "https://slow.example/bytes/400000",
    "https://vk.example/",
)


@pytest.fixture
def scenario():
    rules = (rule("sni", RewriteRst()), rule("policer", Policer(140e3)), rule("grace", GraceDrop()))
    policy = Policy("tspu", SimpleNamespace(name="t22"), rules)
    expect = (
        Expectation("on", "mts", parse(BLOCKED), "tls.sni.rst", "sni"),
        Expectation("on", "mts", parse(SLOW), "throttle", "tspu/policer", (130e3, 150e3)),
        Expectation("on", "tele2", parse(BLOCKED), "ok"),
    )
    world = World("small", (operator("mts", "MTS", 1), operator("tele2", "Tele2", 2)), (), ())
    phases = {"off": Phase(), "on": Phase((Placement("mts", policy),))}
    return Scenario(
        "small", "A small scenario", "2022", (), "", world, 1, phases, "on", expect, (parse(CONTROL),)
    )


@pytest.fixture
def measurements():
    """What a healthy run of phase "on" measures."""
    cut = {"dns": None, "tcp": None, "tls": "connection_reset"}
    return [
        measured(BLOCKED, "mts", **cut),
        fine(SLOW, "mts", speed=(138e3, 8.0), end=8.1),
        fine(CONTROL, "mts"),
        fine(BLOCKED, "tele2"),
        fine(CONTROL, "tele2"),
        fine(BLOCKED, "outside"),
        fine(SLOW, "outside", speed=(212e6, 0.1)),
        fine(CONTROL, "outside"),
    ]


def counts(*flows, **kernel_alone):
    """What a rule did to flows: each has all of it."""

    def of(**same):
        claimed = {"drop": 0, "replace": 0, "inject": 0, "police": 0, "delay": 0} | same
        kernel = claimed | {"policed_drop": 0, "flow_drop": 0} | kernel_alone
        packets = sum(kernel.values()) - kernel["police"]
        each = {"claimed": sum(claimed.values()), "kernel": packets}
        return {"claimed": claimed, "kernel": kernel, "flows": dict.fromkeys(flows, each)}

    return of


@pytest.fixture
def receipts():
    """What the censor of a healthy run leaves."""
    rules = {
        "sni": counts(flow_of(BLOCKED, "mts"))(replace=3),
        "policer": counts(flow_of(SLOW, "mts"), policed_drop=17)(police=1),
        "grace": counts()(),
    }
    tally = {"faults": 0, "queue_dropped": 0, "user_dropped": 0, "evictions": 0, "packets": 123}
    return {"mts/tspu": {"censor": "mts/tspu", **tally, "rules": rules}}
