"""What rules may look for beyond names: protocols, fingerprints, ECH, data, countries, any name."""

import json
from ipaddress import ip_network

import pytest

from testbed.censor.names import NameMatcher
from testbed.censor.parsers import PROTOCOLS
from testbed.censor.policy import Match
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.summary import rule_lines
from tests.scenario.conftest import Desk

CHROME = "t13d1516h2_8daaf6152771_d8a2da3f94cd"
HTTP3 = "q13d0310h3_55b375c5d22e_cd85d2d88918"
SNOWFLAKE = "dd2i110900_c45550529adf_d9dd6182da81"


def _match(desk: Desk, text: str, action: str = "drop") -> Match:
    (placement,) = desk.rule(text, action)().phases["block"].placements
    return placement.policy.rules[0].match


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{quic.sni: a.com}", {"quic.sni": ["a.com"]}),
        ("{protocol: wireguard}", {"protocol": ["wireguard"]}),
        ("{protocol: [openvpn, wireguard], transport: udp}",) * 2,
        (f"{{ja4: {CHROME}}}", {"ja4": [CHROME]}),
        (f"{{ja4: [{CHROME}, {HTTP3}], ech: true}}", {"ja4": [CHROME, HTTP3], "ech": True}),
        (f"{{ja4: {SNOWFLAKE}, protocol: dtls}}", {"protocol": ["dtls"], "ja4": [SNOWFLAKE]}),
        ("{tls.sni: a.com, ech: true}", {"tls.sni": ["a.com"], "ech": True}),
        ("{quic.sni: a.com, ech: false}", {"quic.sni": ["a.com"], "ech": False}),
        ("{ech: false}", {"ech": False}),
        ("{data: true}", {"data": True}),
        ("{data: true, transport: tcp}", {"data": True, "transport": "tcp"}),
        ("{tls.sni: a.com, roles_reversed: true}", {"tls.sni": ["a.com"], "roles_reversed": True}),
        ('{tls.sni: "*"}', {"tls.sni": ["*"]}),
        ("{dns.qtype: A}", {"dns.qtype": ["A"]}),
        ("{http.url: 'http://a.com/x'}", {"http.url": ["http://a.com/x"]}),
        ("{http.url: ['a.com/y/*', '*/x']}", {"http.url": ["http://a.com/y/*", "*/x"]}),
        ("{http.keyword: казино}", {"http.keyword": ["казино"]}),
        ("{transport: tcp, size: {min: 49}}", {"transport": "tcp", "size": {"min": 49, "max": 65535}}),
        ("{opening: true, transport: tcp}", {"transport": "tcp", "opening": True}),
        ("{opened_by: outside, ports: 25}", {"ports": [25], "opened_by": "outside"}),
        (
            "{early_packets: {count: 3, among: 5, min: 411}}",
            {"early_packets": {"count": 3, "among": 5, "min": 411, "max": 65535, "direction": "up"}},
        ),
        (
            "{early_packets: {max: 600}}",
            {"early_packets": {"count": 1, "among": None, "min": 0, "max": 600, "direction": "up"}},
        ),
    ],
)
def test_written_and_read_back(text: str, written: object, desk: Desk) -> None:
    shown = _match(desk, text).to_json()
    if isinstance(written, str):
        written = {"protocol": ["openvpn", "wireguard"], "transport": "udp"}
    assert shown == written
    again = json.dumps(shown)
    assert _match(desk, again).to_json() == shown


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_is_known(protocol: str, desk: Desk) -> None:
    assert _match(desk, f"{{protocol: {protocol}}}")["protocol"] == (protocol,)


def test_any_name_is_any_name() -> None:
    matcher = NameMatcher(["*"])
    assert "a" in matcher
    assert "x.example.com" in matcher
    assert "x.example.com" not in NameMatcher(["*.x"])


def test_any_name_may_stand_in_a_file(desk: Desk) -> None:
    (desk.folder / "names.txt").write_text("# all\n*\n")
    names = _match(desk, "{tls.sni: {file: names.txt}}")["tls.sni"]
    assert names.patterns == ("*",)


def test_country_is_all_its_sites(desk: Desk) -> None:
    russian = {ip_network(each) for each in ("87.240.132.78", "2a00:bdc0::1", "5.3.3.17", "2a02:2699::17")}
    assert set(_match(desk, '{ip: "country:RU"}')["ip"]) == russian
    assert set(_match(desk, '{ip: ["country:RU", 192.0.2.1]}')["ip"]) == russian | {ip_network("192.0.2.1")}


def test_shown_in_words(desk: Desk) -> None:
    (line,) = rule_lines(desk.rule("{tls.sni: cloudflare-ech.com, ech: true}")())
    assert line == "tspu (t22) one: tls.sni cloudflare-ech.com, ech yes -> drop"


def test_editors_know_them() -> None:
    properties = scenario_schema()["$defs"]["MatchPart"]["properties"]
    assert {"quic.sni", "protocol", "ja4", "ech", "data", "roles_reversed"} <= set(properties)
    assert set(PROTOCOLS) == set(properties["protocol"]["anyOf"][0]["enum"])
    assert properties["ja4"]["anyOf"][0]["pattern"].startswith("^[tqd]")


WRONG = {
    "unknown protocol": ("{protocol: wiregard}", ".protocol[0]", "'wiregard' is not one of", "'wireguard'"),
    "no fingerprint": ("{ja4: t13d}", ".ja4[0]", "'t13d' is not a JA4 fingerprint", CHROME),
    "JA3": ("{ja4: cd08e31494f9531f560d64c695473da9}", ".ja4[0]", "is not a JA4 fingerprint", CHROME),
    "ech as text": ("{ech: maybe}", ".ech", "expected true or false", ""),
    "data as text": ("{data: maybe, ip: 1.2.3.4}", ".data", "expected true or false", ""),
    "nothing but no": ("{data: false}", "", "looks for nothing", "quic.sni"),
    "unknown country": ('{ip: "country:RO"}', ".ip", "no site of the world is in 'RO'", "'country:RU'"),
    "WireGuard over TCP": (
        "{protocol: wireguard, transport: tcp}",
        ".transport",
        "wireguard is not seen over tcp",
        "transport: udp",
    ),
    "one of two over TCP": (
        "{protocol: [openvpn, dtls], transport: tcp}",
        ".transport",
        "dtls is not seen over tcp",
        "transport: udp",
    ),
    "QUIC name over TCP": (
        "{quic.sni: a.com, transport: tcp}",
        ".transport",
        "quic.sni is not seen over tcp",
        "transport: udp",
    ),
    "two kinds of name": (
        "{tls.sni: a.com, quic.sni: a.com}",
        "",
        "no packet shows both quic.sni and tls.sni",
        "one rule for each",
    ),
    "name and protocol": (
        "{tls.sni: a.com, protocol: tls}",
        "",
        "a rule cannot have both protocol and tls.sni",
        "ports: any",
    ),
    "fingerprint of HTTP": (
        f"{{http.host: a.com, ja4: {CHROME}}}",
        ".ja4",
        "no ClientHello is read with http.host",
        "tls.sni",
    ),
    "ECH of WireGuard": (
        "{protocol: wireguard, ech: true}",
        ".ech",
        "no ClientHello is read with wireguard",
        "use it alone",
    ),
    "TCP's fingerprint over QUIC": (
        f"{{quic.sni: a.com, ja4: {CHROME}}}",
        ".ja4[0]",
        "is a fingerprint of TLS over TCP",
        "rule of its own",
    ),
    "QUIC's fingerprint over TCP": (
        f"{{tls.sni: a.com, ja4: [{CHROME}, {HTTP3}]}}",
        ".ja4[1]",
        "is a fingerprint of QUIC",
        "rule of its own",
    ),
    "TCP's fingerprint over UDP": (
        f"{{ja4: {CHROME}, transport: udp}}",
        ".ja4[0]",
        "is a fingerprint of TLS over TCP",
        "rule of its own",
    ),
    "DTLS's fingerprint alone": (
        f"{{ja4: {SNOWFLAKE}}}",
        ".ja4[0]",
        "is a fingerprint of DTLS",
        "protocol: dtls",
    ),
    "data of a name": ("{tls.sni: a.com, data: true}", ".data", "content comes in data anyway", "leave it"),
    "unknown type": ("{dns.qtype: AA}", ".dns.qtype[0]", "'AA' is not one of", "did you mean 'A"),
    "HTTPS by URL": (
        "{http.url: 'https://a.com/x'}",
        ".http.url",
        "HTTPS shows only its host",
        "write tls.sni: a.com",
    ),
    "no URL": ("{http.url: 'ftp://a.com/'}", ".http.url", "is not a URL of plain HTTP", "http://example.com/page"),
    "page and name": (
        "{http.url: a.com/x, tls.sni: a.com}",
        "",
        "no packet shows both http.url and tls.sni",
        "one rule for each",
    ),
    "sizes exchanged": (
        "{transport: tcp, size: {min: 600, max: 49}}",
        ".size",
        "no size is 600 or more and 49 or less",
        "",
    ),
    "too many packets": (
        "{early_packets: {count: 40}}",
        ".early_packets.count",
        "40 is too large",
        "32 or less",
    ),
    "more than there are": (
        "{early_packets: {count: 3, among: 2}}",
        ".early_packets",
        "3 of 2 packets is too many; give among: 3",
        "",
    ),
    "opening with data": (
        "{opening: true, data: true, transport: tcp}",
        ".opening",
        "a SYN carries no data",
        "leave it out",
    ),
    "opener misspelt": ("{opened_by: outsid, ports: 25}", ".opened_by", "is not one of", "'outside'"),
    "list without a rule": (
        "{learned: vpn}",
        ".learned",
        "no rule learns the list 'vpn'",
        "add a rule with learn: {into: vpn}",
    ),
    "roles over UDP": (
        "{transport: udp, roles_reversed: true}",
        ".roles_reversed",
        "UDP has no SYN",
        "leave it out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_matches_that_can_never_hold(case: str, desk: Desk) -> None:
    match, place, message, remedy = WRONG[case]
    problem = desk.rule_problem(match)
    expected = f"x.yaml:10 censors.tspu.rules[0].match{place}"
    assert problem.place in (expected, expected.removesuffix("[0]"))
    assert message in problem.message
    assert remedy in problem.remedy


TAKEN = [
    ('{tls.sni: "*"}', "{tls.sni: a.com}"),
    ('{quic.sni: "*.a.com"}', "{quic.sni: x.a.com, ech: true}"),
    ("{protocol: [openvpn, wireguard]}", "{protocol: wireguard, ip: 1.2.3.4}"),
    (f"{{ja4: [{CHROME}, {HTTP3}]}}", f"{{tls.sni: a.com, ja4: {CHROME}}}"),
    ("{ech: true}", "{tls.sni: a.com, ech: true}"),
    ("{tls.sni: a.com}", f"{{tls.sni: a.com, ja4: {CHROME}}}"),
    ("{ip: 1.2.3.4}", "{ip: 1.2.3.4, data: true}"),
    ("{ip: 1.2.3.4, data: true}", "{ip: 1.2.3.4, tls.sni: a.com}"),
    ("{tls.sni: a.com, ip: 1.2.3.4}", "{ip: 1.2.3.4}"),
    ("{ip: 1.2.3.4, data: true}", "{ip: 1.2.3.0/24}"),  # at the SYN already, whatever the order
    ("{roles_reversed: true, tls.sni: [a.com, b.com]}", "{roles_reversed: true, tls.sni: a.com}"),
]
BOTH = [
    ("{tls.sni: a.com, ech: true}", "{tls.sni: a.com}"),
    ("{tls.sni: a.com, ech: true}", "{tls.sni: a.com, ech: false}"),
    (f"{{tls.sni: a.com, ja4: {CHROME}}}", "{tls.sni: a.com}"),
    (f"{{ja4: {CHROME}}}", f"{{ja4: {HTTP3}}}"),
    ("{tls.sni: a.com}", '{tls.sni: "*"}'),
    ("{tls.sni: a.com}", "{quic.sni: a.com}"),
    ("{protocol: wireguard}", "{protocol: [wireguard, openvpn]}"),
    ("{protocol: wireguard}", "{transport: udp, data: true}"),
    ("{tls.sni: a.com, ip: 1.2.3.4}", "{ip: 1.2.3.4, data: true}"),  # decided by data: the order counts
    ("{ip: 1.2.3.0/24, data: true}", "{ip: 1.2.3.4}"),
    ("{tls.sni: a.com}", "{tls.sni: a.com, roles_reversed: true}"),  # SNI-I and, behind it, SNI-IV
    ("{tls.sni: a.com, roles_reversed: true}", "{tls.sni: a.com}"),
]


def _second(match: str, action: str = "drop") -> str:
    return f"      - name: two\n        match: {match}\n        action: {action}\n"


@pytest.mark.parametrize(("first", "second"), TAKEN)
def test_taken_before(first: str, second: str, desk: Desk) -> None:
    problem = desk.rule_problem(first, more=_second(second))
    assert "already matches everything it would" in problem.message


@pytest.mark.parametrize(("first", "second"), BOTH)
def test_each_has_its_share(first: str, second: str, desk: Desk) -> None:
    assert len(desk.rule(first, more=_second(second))().phases["block"].placements[0].policy.rules) == 2


def test_sni_iv_behind_sni_i(desk: Desk) -> None:
    """The second line of 2022 (CP22 Fig. 7): the same names, for flows that the first cannot take."""
    load = desk.rule(
        "{tls.sni: [a.com, b.com]}", "rst-rewrite", more=_second("{tls.sni: a.com, roles_reversed: true}")
    )
    assert ["roles_reversed" in rule.match for rule in load().phases["block"].placements[0].policy.rules] == [
        False,
        True,
    ]


def test_freeze_by_address_leaves_rules_above_their_names(desk: Desk) -> None:
    freeze = _second("{ip: 1.2.3.4}", "{freeze: {packets: 25}}")
    assert desk.rule("{tls.sni: a.com, ip: 1.2.3.4}", "allow", more=freeze)()
    below = _second("{tls.sni: a.com, ip: 1.2.3.4}")
    problem = desk.rule_problem("{ip: 1.2.3.4}", "{freeze: {packets: 25}}", more=below)
    assert "'two' can never match" in problem.message


def test_learned_lists_are_filled_and_looked_at(desk: Desk) -> None:
    learn = "{learn: {into: vpn}}"
    assert "no rule looks at the list 'vpn'" in desk.rule_problem("{protocol: wireguard}", learn).message
    misspelt = "      - {name: two, match: {learned: vpm}, action: drop}\n"
    desk.rule("{protocol: wireguard}", learn, more=misspelt)
    found = {problem.remedy for problem in desk.problems()}
    assert "did you mean 'vpn'?" in found
    right = "      - {name: two, match: {learned: vpn}, action: drop}\n"
    assert desk.rule("{protocol: wireguard}", learn, more=right)()
