"""What fails without a rule, asked of the core: overloaded servers, bad links; kinds of targets in Python."""

from dataclasses import replace

import pytest

from testbed.dryrun.ask import Asker, askable
from testbed.measurement.kinds import parse
from testbed.model import Scenario
from testbed.scenario.loader import load
from testbed.truth.record import TruthRecord

KREMLIN, BUSY, TWITTER = "https://kremlin.ru/", "https://meduza.io/", "https://twitter.com/"


def asked(scenario: Scenario, phase: str, vantage: str, url: str, ipv: int = 4) -> TruthRecord:
    return Asker(scenario).record(phase, vantage, parse(url), ipv=ipv)


@pytest.mark.parametrize("url", [KREMLIN, "h3://kremlin.ru/"])
def test_a_server_that_is_silent_is_down_for_everybody(url: str) -> None:
    scenario = load("kremlin-site-down-2022")
    record = asked(scenario, "down", "mts", url)
    assert (record.outcome, record.rules, record.chances) == ("broken", (), {"broken": 1.0})
    fine = replace(scenario, phases={**scenario.phases, "down": replace(scenario.phases["down"], sites={})})
    assert asked(fine, "down", "mts", url).outcome == "ok"


@pytest.mark.parametrize(
    ("name", "phase", "url"),
    [("kremlin-site-down-2022", "flood", KREMLIN), ("false-friends", "overloaded", BUSY)],
)
def test_a_server_that_fails_at_times_fails_in_its_share_of_the_draws(
    name: str, phase: str, url: str
) -> None:
    record = asked(load(name), phase, "mts", url)
    assert (set(record.chances), record.rules) == ({"ok", "broken"}, ())
    assert 0.1 <= record.chances["broken"] <= 0.7, "40 % of the connections"


@pytest.mark.parametrize(
    ("vantage", "url", "outcome"),
    [
        ("triolan", TWITTER, "outage"),
        ("triolan", "h3://www.instagram.com/", "outage"),
        ("triolan", "dns://8.8.8.8/twitter.com", "outage"),
        ("triolan", "dns://resolver/twitter.com", "ok"),  # its own resolver is on this side of the link
        ("kyivstar", TWITTER, "ok"),
    ],
)
def test_behind_a_dead_link_is_an_outage(vantage: str, url: str, outcome: str) -> None:
    record = asked(load("kharkiv-outages-2022"), "second", vantage, url)
    assert (record.outcome, record.rules, record.blocked) == (outcome, (), False)


def test_a_link_may_be_dead_for_one_ip_version() -> None:
    friends = load("false-friends")
    assert [asked(friends, "broken-ipv6", "mts", TWITTER, ipv).outcome for ipv in (4, 6)] == ["ok", "outage"]


def test_the_cause_is_a_portal_where_every_control_gets_its_answer() -> None:
    friends = load("false-friends")
    record = asked(friends, "portal", "mts", TWITTER)
    assert (record.outcome, record.mechanism) == ("tls.mitm", "portal")
    chosen = replace(friends, controls=(parse("http://twitter.com/nowhere"), parse("dns://8.8.8.8/vk.com")))
    assert asked(chosen, "portal", "mts", TWITTER).mechanism == "tls.mitm", "a control works"


@pytest.mark.parametrize(
    ("scheme", "outcome", "mechanism", "rule"),
    [
        ("ech", "tls.sni.drop", "tls.sni.drop", "mts/tspu/ech-tcp"),
        ("ech+quic", "quic.drop", "quic.sni.drop", "mts/tspu/ech-quic"),
    ],
)
def test_a_kind_of_target_that_only_takes_steps_is_asked(
    scheme: str, outcome: str, mechanism: str, rule: str
) -> None:
    scenario = load("cloudflare-ech-2024")
    targets = {one.target.url: one.target for one in scenario.expect}
    target, twin = targets[f"{scheme}://cloudflare-ech.com/"], targets[f"{scheme}://cloudflare-ech.com/off"]
    record = Asker(scenario).record("rule", "mts", target)
    assert (record.outcome, record.mechanism, record.rule) == (outcome, mechanism, rule)
    assert record.observable["probe"] == outcome
    assert Asker(scenario).record("rule", "mts", twin).outcome == "ok"
    assert Asker(scenario).record("ech-on", "mts", target).outcome == "ok"


def test_a_kind_that_does_not_say_so_is_left_to_a_run() -> None:
    (target,) = {
        one.target for one in load("examples/probe_kind/greeting.yaml").expect if one.target.host == "vk.com"
    }
    assert not askable(target)
