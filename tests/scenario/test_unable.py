"""Rules that a box cannot carry out, or whose packets it never sees, are refused with place and remedy."""

import pytest

from testbed.censor.actions import ACTIONS
from tests.scenario.conftest import Desk
from tests.scenario.test_action_bounds import NEEDED, written

INJECTING = {"rst", "fin", "page", "dns", "icmp", "allow", "learn"}
MORE = "      - {name: two, match: {learned: vpn}, action: allow}\n"


@pytest.mark.parametrize("key", ACTIONS)
def test_a_box_with_copies_can_only_inject(key: str, desk: Desk) -> None:
    match = "{dns.qname: a.com}" if key == "dns" else "{ip: 192.0.2.1}"
    more = MORE if key == "learn" else ""
    action = written(key, NEEDED.get(key, {"a": ["192.0.2.9"]} if key == "dns" else {}))
    if key in INJECTING:
        desk.rule(match, action, profile="leg-passive", more=more)()
        return
    problem = desk.rule_problem(match, action, profile="leg-passive", more=more)
    assert f"{key} does nothing at a box that sees copies only (leg-passive)" in problem.message
    assert problem.remedy


def test_a_freeze_with_resets_can_be_seen_at_a_mirror(desk: Desk) -> None:
    desk.rule("{ip: 192.0.2.1}", "{freeze: {rst: both}}", profile="leg-passive")()


@pytest.mark.parametrize(
    ("match", "action"),
    [
        ("{tls.sni: a.com}", "rst-rewrite"),
        ("{tls.sni: a.com}", "{loss: {direction: down}}"),
        ("{tls.sni: a.com}", "{police: {rate: 140 kbit/s, direction: down}}"),
        ("{ip: 192.0.2.1}", "{freeze: {count: down}}"),
        ("{tls.certificate: a.com}", "drop"),
        ("{opened_by: outside, ports: 25}", "drop"),
    ],
)
def test_what_comes_from_outside_is_not_seen(match: str, action: str, desk: Desk) -> None:
    problem = desk.rule_problem(match, action, profile="t22\n    upstream_only: true")
    assert "with upstream_only the box sees no packet from outside" in problem.message
    desk.rule(match, action)()


def test_what_the_subscriber_sends_is_seen(desk: Desk) -> None:
    desk.rule("{tls.sni: a.com}", "{loss: {direction: up}}", profile="t22\n    upstream_only: true")()


@pytest.mark.parametrize("match", ["tls.sni: a.com", "http.host: a.com", "tls.certificate: a.com"])
def test_a_syn_shows_no_content(match: str, desk: Desk) -> None:
    problem = desk.rule_problem(f"{{{match}, opening: true}}")
    assert problem.message == "the rule can never match: a SYN carries no data"
    desk.rule("{quic.sni: a.com, opening: true}")()


@pytest.mark.parametrize("given", ["residual: 10 s", "refresh: true", "refresh: false"])
def test_a_single_packet_has_no_time(given: str, desk: Desk) -> None:
    problem = desk.rule_problem("{tls.sni: a.com}", f"{{drop: {{scope: packet, {given}}}}}")
    assert problem.message == "drop: a single packet has no time"
    assert problem.remedy == f"leave out {given.partition(':')[0]}, or scope: packet"
