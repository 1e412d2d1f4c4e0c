"""Rules that can never fire."""

import pytest

from tests.scenario.conftest import Desk

NEVER = {
    "nothing": ("{}", "drop", "x.yaml:10 censors.tspu.rules[0].match", "looks for nothing", "tls.sni"),
    "SNI over UDP": (
        "{tls.sni: a.com, transport: udp}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.transport",
        "tls.sni is not seen over udp",
        "transport: tcp",
    ),
    "QUIC over TCP": (
        "{quic: {version: 1}, transport: tcp}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.transport",
        "quic is not seen over tcp",
        "transport: udp",
    ),
    "two contents": (
        "{tls.sni: a.com, http.host: a.com}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match",
        "no packet shows both http.host and tls.sni",
        "one rule for each",
    ),
    "empty pattern": (
        '{tls.sni: [a.com, ""]}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni[1]",
        "the pattern '' matches no name",
        "example.com",
    ),
    "stars only": (
        '{tls.sni: "**"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "the pattern '**' matches no name",
        "example.com",
    ),
    "URL": (
        '{http.host: "https://a.com/x"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.http.host",
        "is a URL",
        "'a.com'",
    ),
    "path": (
        '{http.host: "a.com/x"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.http.host",
        "is a URL",
        "'a.com'",
    ),
    "space": (
        '{tls.sni: "a.com b.com"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "contains a space",
        "one name",
    ),
    "port in a name": (
        '{tls.sni: "a.com:443"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "has a port",
        "'a.com'",
    ),
    "final dot": (
        '{tls.sni: "a.com."}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "ends in a dot",
        "'a.com'",
    ),
    "Cyrillic": (
        '{tls.sni: "пример.рф"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "not ASCII",
        "xn--e1afmkfd.xn--p1ai",
    ),
    "star inside": (
        '{tls.sni: "a*.com"}',
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "'a*.com' is not a name pattern",
        "*.example.com",
    ),
    "host bits": (
        "{ip: 1.2.3.4/24}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.ip",
        "'1.2.3.4/24' has host bits set",
        "'1.2.3.0/24'",
    ),
    "no address": (
        "{ip: 1.2.3.400}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.ip",
        "'1.2.3.400' is not an address",
        "192.0.2.0/24",
    ),
    "unknown site": (
        "{ip: 'site:twiter.com'}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.ip",
        "no site of the world is called 'twiter.com'",
        "'site:twitter.com'",
    ),
    "port 0": (
        "{ports: 0}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.ports",
        "no port 0",
        "1 to 65535",
    ),
    "neither list nor file": (
        "{tls.sni: {}}",
        "drop",
        "x.yaml:10 censors.tspu.rules[0].match.tls.sni",
        "expected a list",
        "names.txt",
    ),
}


@pytest.mark.parametrize("case", NEVER)
def test_rule_that_can_never_match(case: str, desk: Desk) -> None:
    match, action, place, message, remedy = NEVER[case]
    problem = desk.rule_problem(match, action)
    assert problem.place == place
    assert message in problem.message
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{tls.sni: [a.com, b.com]}", "{tls.sni: a.com}"),
        ('{tls.sni: "*a*"}', '{tls.sni: ["*.a.com", xay.com]}'),
        ('{tls.sni: "*.com"}', "{tls.sni: A.COM, ports: 443}"),
        ("{ip: 1.2.0.0/16}", "{ip: 1.2.3.4, transport: tcp}"),
        ("{quic: {min_payload: 1000}}", "{quic: {min_payload: 1001}}"),
        ("{tls.sni: a.com, ip: 1.2.3.4}", "{ip: 1.2.3.4}"),  # by header: decided before any content is seen
    ],
)
def test_shadowed_rule(first: str, second: str, desk: Desk) -> None:
    more = f"      - name: two\n        match: {second}\n        action: drop\n"
    problem = desk.rule_problem(first, more=more)
    assert "can never match" in problem.message
    assert "already matches everything it would" in problem.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{tls.sni: a.com}", '{tls.sni: "*.a.com"}'),
        ('{tls.sni: "*.a.com"}', "{tls.sni: a.com}"),
        ("{tls.sni: a.com}", "{http.host: a.com}"),
        ("{tls.sni: a.com, ports: 8443}", "{tls.sni: a.com}"),
        ("{tls.sni: a.com}", "{tls.sni: a.com, ports: 8443}"),
        ("{ip: 1.2.3.0/24}", "{ip: 1.2.0.0/16}"),
        ("{ip: 1.2.3.4, transport: udp}", "{tls.sni: a.com, ip: 1.2.3.4}"),
        ("{quic: {min_payload: 1001}}", "{quic: {min_payload: 1000}}"),
    ],
)
def test_rule_that_is_not_shadowed(first: str, second: str, desk: Desk) -> None:
    more = f"      - name: two\n        match: {second}\n        action: drop\n"
    assert len(desk.rule(first, more=more)().phases["block"].placements[0].policy.rules) == 2


def test_duplicate_rule_name(desk: Desk) -> None:
    problem = desk.rule_problem(
        "{tls.sni: a.com}", more="      - {name: one, match: {tls.sni: b.com}, action: drop}\n"
    )
    assert problem.place == "x.yaml:12 censors.tspu.rules[1].name"
    assert "the rule name 'one' is used twice" in problem.message


def test_resolver_sees_only_dns(desk: Desk) -> None:
    desk.rule("{tls.sni: a.com}", "{dns: {a: 1.2.3.4}}", profile="leg-dns\n    at: resolver")
    problem = desk.problem()
    assert "a resolver sees DNS queries only" in problem.message


def test_resolver_cannot_reset(desk: Desk) -> None:
    desk.rule("{dns.qname: a.com}", "rst", profile="leg-dns\n    at: resolver")
    problem = desk.problem()
    assert problem.message == "a resolver cannot do 'rst'"
    assert "dns" in problem.remedy
