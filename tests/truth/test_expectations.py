from dataclasses import replace

import pytest

from testbed.measurement.kinds import parse
from testbed.truth.expected import Truth, truth

from .conftest import BLOCKED, CONTROL, SLOW


def test_expectations_controls_and_references(scenario):
    found = truth(scenario, "on")
    assert found[0] == Truth("mts", parse(BLOCKED), "tls.sni.rst", "sni")
    assert found[0].transport == "tls"
    assert found[1].rate == (130e3, 150e3)
    assert {(one.vantage, one.target.url) for one in found if one.role == "control"} == {
        (vantage, CONTROL) for vantage in ("mts", "tele2", "outside")
    }
    assert {one.target.url for one in found if one.role == "reference"} == {BLOCKED, SLOW}
    assert [one.vantage for one in found] == ["mts"] * 3 + ["tele2"] * 2 + ["outside"] * 3


def test_a_phase_without_expectations_has_controls_from_everywhere(scenario):
    assert {(one.vantage, one.role) for one in truth(scenario, "off")} == {
        ("mts", "control"), ("tele2", "control"), ("outside", "control"),
    }  # fmt: skip


def test_some_vantages_only(scenario):
    assert {one.vantage for one in truth(scenario, "on", ["tele2"])} == {"tele2", "outside"}
    assert SLOW not in {one.target.url for one in truth(scenario, "on", ["tele2"])}


def test_an_expectation_for_one_ip_version_holds_for_it_alone(scenario):
    only = tuple(replace(e, ipv=6) if e.vantage == "mts" else e for e in scenario.expect)
    over = {ipv: truth(replace(scenario, expect=only), "on", ipv=ipv) for ipv in (4, 6)}
    assert [replace(one, second=False) for one in over[6]] == truth(scenario, "on")
    assert {one.second for one in over[6] if one.vantage == "mts"} == {False}
    assert {one.role for one in over[4] if one.vantage == "mts"} == {"control"}
    assert SLOW not in {one.target.url for one in over[4]}  # nor is it measured from outside


def test_what_is_broken_everywhere_is_broken_outside(scenario):
    dead = tuple(replace(e, outcome="broken", by="") for e in scenario.expect)
    found = truth(replace(scenario, expect=dead), "on")
    assert {one.outcome for one in found if one.role == "reference"} == {"broken"}


def test_a_phase_that_is_not_there(scenario):
    with pytest.raises(KeyError):
        truth(scenario, "never")
