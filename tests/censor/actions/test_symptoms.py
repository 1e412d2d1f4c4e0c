"""What an action says about itself for those who judge or arrange measurements."""

from typing import Any

import pytest

from testbed.censor.actions import ACTIONS
from testbed.censor.actions.base import Action
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.shape import Shape
from testbed.scenario.labels import LABELS

REQUIRED: dict[str, dict[str, Any]] = {
    "data-drop": {"protocol": "tls"},
    "delay": {"by": 0.2},
    "divert": {"to4": "10.0.0.1"},
    "learn": {"into": "vpn"},
    "loss": {"share": 0.1},
    "police": {"rate": 140e3},
    "shape": {"rate": 140e3},
}


def made(key: str) -> Action:
    """The action with as few parameters as it takes."""
    return ACTIONS[key](**REQUIRED.get(key, {}))


@pytest.mark.parametrize("key", ACTIONS)
def test_symptoms_are_labels_and_never_the_label_itself(key):
    symptoms = {label: made(key).also_seen_as(label) for label in LABELS}
    assert {other for others in symptoms.values() for other in others} <= set(LABELS)
    assert not [label for label, others in symptoms.items() if label in others]


def test_which_actions_have_other_symptoms():
    late = {
        "tls.sni.drop": ("freeze",),
        "http.drop": ("freeze", "tls.sni.drop"),
        "quic.drop": ("freeze",),
    }
    found = {
        key: {label: others for label in LABELS if (others := made(key).also_seen_as(label))}
        for key in ACTIONS
    }
    assert {key: others for key, others in found.items() if others} == {
        "data-drop": late,
        "freeze": late,
        "grace-drop": late,
    }


@pytest.mark.parametrize(
    ("lie", "others"),
    [
        (DnsLie(a=("10.0.0.1",)), ("dns.error",)),
        (DnsLie(a=("10.0.0.1",), aaaa=("2001:db8::1",)), ()),
        (DnsLie(aaaa=("2001:db8::1",)), ()),
        (DnsLie(), ()),
        (DnsLie(rcode="servfail"), ()),
    ],
)
def test_a_lie_about_a_alone_is_an_empty_answer_over_ipv6(lie, others):
    assert lie.also_seen_over_ipv6("dns.poison") == others
    assert lie.also_seen_over_ipv6("dns.error") == ()
    assert lie.also_seen_as("dns.poison") == ()


def test_an_address_in_an_answer_that_has_none():
    with pytest.raises(ValueError, match="rcode: servfail has no address; leave out a, or rcode"):
        DnsLie(rcode="servfail", a=("10.0.0.1",))


def test_which_actions_limit_a_host():
    assert not any(made(key).limits_host for key in ACTIONS)
    assert Policer(140e3, per="host").limits_host
    assert Shape(140e3, per="host").limits_host
