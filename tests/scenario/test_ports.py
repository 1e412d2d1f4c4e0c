"""Ports in rules: ranges, lists, every port; and that a name is then found on each of them."""

import json

import pytest

from testbed.censor.match.ports import EVERY_PORT, PortSet
from testbed.scenario.jsonschema import scenario_schema
from tests.censor.line import Line, hello
from tests.scenario.conftest import Desk

QUERY = b"\0\1\1\0\0\1\0\0\0\0\0\0\1a\3com\0\0\1\0\1"
GET = b"GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"


def fired(desk: Desk, match: str, port: int, payload: bytes, *, udp: bool = False) -> bool:
    policy = desk.rule(match)().phases["block"].placements[0].policy
    line = Line(policy, dport=port, udp=udp)
    if not udp:
        line.handshake()
    return line.L(payload=payload).fired


@pytest.mark.parametrize(
    ("written", "value", "shown"),
    [
        ("443", (443,), [443]),
        ("[443, 8443]", (443, 8443), [443, 8443]),
        ("50000-50100", (range(50000, 50101),), ["50000-50100"]),
        ("[443, 50000 - 50100]", (443, range(50000, 50101)), [443, "50000-50100"]),
        ("7-7", (7,), [7]),
        ("any", (EVERY_PORT,), "any"),
        ("1-65535", (EVERY_PORT,), "any"),
    ],
)
def test_written_and_read_back(written: str, value: object, shown: object, desk: Desk) -> None:
    match = (
        desk.rule(f"{{transport: udp, ports: {written}}}")()
        .phases["block"]
        .placements[0]
        .policy.rules[0]
        .match
    )
    assert match["ports"] == value
    assert match.to_json()["ports"] == shown
    again = desk.rule(json.dumps(match.to_json()))().phases["block"].placements[0].policy.rules[0].match
    assert again == match


@pytest.mark.parametrize(
    ("written", "message", "remedy"),
    [
        ("50100-50000", "the range '50100-50000' is reversed", "write 50000-50100"),
        ("0-10", "there is no port 0 in '0-10'", "1 to 65535"),
        ("70000", "there is no port 70000", "1 to 65535"),
        ("[any]", "'any' in a list", "write ports: any"),
        ("[]", "the list is empty", "50000-50100"),
        ('"443"', "'443' is text, not a port", "without quotes"),
        ("https", "'https' is not a port", "50000-50100"),
        ("1.5", "1.5 is not a port", "50000-50100"),
        ("true", "True is not a port", "50000-50100"),
    ],
)
def test_wrong(written: str, message: str, remedy: str, desk: Desk) -> None:
    problem = desk.rule_problem(f"{{transport: udp, ports: {written}}}")
    assert problem.place == "x.yaml:10 censors.tspu.rules[0].match.ports"
    assert message in problem.message
    assert remedy in problem.remedy


def test_ports_of_icmp(desk: Desk) -> None:
    assert "ICMP has no ports" in desk.rule_problem("{transport: icmp, ports: 443}").message


@pytest.mark.parametrize(
    ("ports", "port", "expected"),
    [("50000-50100", 50000, True), ("50000-50100", 50100, True), ("50000-50100", 50101, False)],
)
def test_a_range_is_all_of_its_ports(ports: str, port: int, expected: bool, desk: Desk) -> None:
    assert fired(desk, f"{{transport: udp, ports: {ports}}}", port, b"voice", udp=True) is expected


@pytest.mark.parametrize("port", [22, 53, 80, 443, 853, 8443, 65535])
def test_a_name_on_any_port(port: int, desk: Desk) -> None:
    assert fired(desk, "{tls.sni: a.com, ports: any}", port, hello("a.com"))
    assert fired(desk, "{http.host: a.com, ports: any}", port, GET)
    assert fired(desk, "{dns.qname: a.com, ports: any}", port, QUERY, udp=True)
    assert fired(desk, "{tls.sni: a.com}", port, hello("a.com")) is (port == 443)
    assert not fired(desk, "{tls.sni: b.com, ports: any}", port, hello("a.com"))


def test_each_query_on_another_port_is_judged(desk: Desk) -> None:
    policy = (
        desk.rule("{dns.qname: a.com, ports: 5353}", "{drop: {scope: packet}}")()
        .phases["block"]
        .placements[0]
        .policy
    )
    line = Line(policy, dport=5353, udp=True)
    other = QUERY.replace(b"\1a", b"\1b")
    assert [line.L(payload=query).fired for query in (other, QUERY, other, QUERY)] == [
        False,
        True,
        False,
        True,
    ]


def test_a_rule_without_ports_keeps_to_the_profiles_when_another_rule_has_more(desk: Desk) -> None:
    more = "      - {name: two, match: {tls.sni: b.com, ports: 8443}, action: drop}\n"
    policy = desk.rule("{tls.sni: a.com}", more=more)().phases["block"].placements[0].policy
    seen = {}
    for port in (443, 8443):
        for name in ("a.com", "b.com"):
            line = Line(policy, dport=port)
            line.handshake()
            seen[port, name] = line.L(payload=hello(name)).fired
    assert seen == {
        (443, "a.com"): True,
        (443, "b.com"): False,
        (8443, "a.com"): False,
        (8443, "b.com"): True,
    }


def test_a_range_takes_no_ports_apart() -> None:
    most = PortSet((range(1024, 65536), 443))
    assert [port in most for port in (80, 443, 1024, 65535)] == [False, True, True, True]
    assert most >= range(2000, 3000)
    assert not most >= range(1000, 2000)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{tls.sni: a.com, ports: any}", "{tls.sni: a.com}"),
        ("{transport: udp, ports: 1000-2000}", "{transport: udp, ports: [1500, 1700-1800]}"),
    ],
)
def test_a_wider_rule_above_takes_all(first: str, second: str, desk: Desk) -> None:
    more = f"      - {{name: two, match: {second}, action: drop}}\n"
    assert "already matches everything" in desk.rule_problem(first, more=more).message
    swapped = f"      - {{name: two, match: {first}, action: drop}}\n"
    assert desk.rule(second, more=swapped)()


def test_editors_know_the_forms() -> None:
    forms = scenario_schema()["$defs"]["MatchPart"]["properties"]["ports"]["anyOf"]
    assert {"const": "any"} in forms
    assert forms[2]["pattern"] == "^[0-9]+-[0-9]+$"
