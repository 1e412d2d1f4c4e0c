"""What a rule does to a client, asked of the core. Each effect has its twin: the same without the rule."""

import pytest

from testbed.dryrun.ask import Asker
from testbed.measurement.kinds import parse
from testbed.scenario.loader import load
from tests.dryrun.conftest import Asks

SNI = "{tls.sni: twitter.com}"
HTTPS, HTTP, H3 = "https://twitter.com/", "http://twitter.com/", "h3://twitter.com/"
BULK, UPLOAD = "https://twitter.com/bytes/100000", "put+https://twitter.com/upload?bytes=100000"
LOOKUP, OWN = "dns://8.8.8.8/twitter.com", "dns://resolver/twitter.com"
OVER_TCP = "dns+tcp://8.8.8.8/twitter.com"


@pytest.mark.parametrize(
    ("match", "action", "url", "profile", "outcome", "direction"),
    [
        (SNI, "rst-rewrite", HTTPS, "t22", "tls.sni.rst", "down"),
        (SNI, "drop", HTTPS, "t22", "tls.sni.drop", "up"),
        (SNI, "grace-drop", HTTPS, "t22", "tls.sni.drop", "up"),
        (SNI, "rst", HTTPS, "leg-active", "tls.sni.rst", "up"),
        (SNI, "{fin: {trigger: drop}}", HTTPS, "leg-active", "tls.sni.fin", "up"),
        (SNI, "{police: {rate: 140 kbit/s}}", BULK, "t21", "throttle", "down"),
        (SNI, "{police: {rate: 140 kbit/s}}", UPLOAD, "t21", "throttle", "up"),
        (SNI, "{police: {rate: 650 B/s, burst: 1500 B}}", HTTPS, "t22", "throttle", "down"),
        (SNI, "{shape: {rate: 100 kbit/s}}", BULK, "t22", "throttle", "both"),
        (SNI, "{freeze: {packets: 25}}", BULK, "t25", "freeze", "both"),
        ("{http.host: twitter.com}", "{page: {location: operator}}", HTTP, "leg-active", "http.page", "up"),
        ("{http.host: twitter.com}", "rst", HTTP, "leg-active", "http.rst", "up"),
        ("{http.host: twitter.com}", "drop", HTTP, "leg-active", "http.drop", "up"),
        ("{ip: 'site:twitter.com'}", "drop", HTTPS, "t22", "ip.drop", "up"),
        ("{ip: 'site:twitter.com'}", "icmp", HTTPS, "t22", "ip.icmp", "up"),
        ("{ip: 'site:twitter.com'}", "{rst: {trigger: drop}}", HTTPS, "leg-active", "ip.rst", "up"),
        ("{quic: {}}", "drop", H3, "t22", "quic.drop", "up"),
        ("{dns.qname: twitter.com}", "{dns: {rcode: nxdomain}}", LOOKUP, "leg-dns", "dns.nxdomain", "up"),
        ("{dns.qname: twitter.com}", "{dns: {a: [5.3.3.17]}}", LOOKUP, "leg-dns", "dns.poison", "up"),
        ("{dns.qname: twitter.com}", "{dns: {a: [5.3.3.17]}}", HTTPS, "leg-dns", "dns.poison", "up"),
        ("{dns.qname: twitter.com}", "drop", OWN, "t22", "dns.drop", "up"),
        ("{ip: 8.8.8.8, ports: 53, transport: tcp}", "drop", OVER_TCP, "t22", "dns.drop", "up"),
        ("{ip: 'site:twitter.com'}", "{divert: {to4: 212.188.10.195}}", HTTPS, "t22", "tls.mitm", "both"),
    ],
)  # fmt: skip
def test_an_effect_and_its_twin(
    ask: Asks, match: str, action: str, url: str, profile: str, outcome: str, direction: str
) -> None:
    found = ask(match, action, url, profile=profile)
    assert (found.outcome, found.rule, found.direction) == (outcome, "mts/box/rule", direction)
    assert found.certain
    for twin in (
        ask(match, action, url, profile=profile, phase="off"),
        ask(match, action, url, profile=profile, vantage="beeline"),
        ask("{tls.sni: other.example}", "rst", url, profile=profile),  # which every box can do
    ):
        assert (twin.outcome, twin.rule, twin.rules, twin.blocked) == ("ok", "", (), False)


def test_the_parameters_of_an_effect(ask: Asks) -> None:
    throttled = ask(SNI, "{police: {rate: 140 kbit/s}}", BULK, profile="t21")
    assert (throttled.rate, throttled.residual, throttled.hop, throttled.layer) == (140_000, 600, 2, "volume")
    frozen = ask(SNI, "{freeze: {octets: 16 KiB, count: down}}", BULK, profile="t25")
    assert frozen.size is not None
    assert 12_000 < frozen.size < 17_000
    reset = ask(SNI, "{rst-rewrite: {residual: 20 s}}", HTTPS)
    assert (reset.residual, reset.action, reset.control) == (20, "rst-rewrite", "https://vk.com/")


def test_a_lie_of_the_operators_resolver_has_no_hop(ask: Asks) -> None:
    lie = ask(
        "{dns.qname: twitter.com}", "{dns: {a: [5.3.3.17]}}", HTTPS, profile="leg-dns", more="at: resolver"
    )
    assert (lie.outcome, lie.rule, lie.hop, lie.action) == ("dns.poison", "mts/box/rule", None, "dns")
    honest = ask(
        "{dns.qname: vk.com}", "{dns: {a: [5.3.3.17]}}", HTTPS, profile="leg-dns", more="at: resolver"
    )
    assert (honest.outcome, honest.rule) == ("ok", "")


def test_the_mechanism_is_the_cause_that_one_exchange_does_not_show(ask: Asks) -> None:
    by_name = ask("{quic.sni: twitter.com}", "drop", H3, profile="t24")
    assert (by_name.outcome, by_name.mechanism) == ("quic.drop", "quic.sni.drop")
    by_form = ask("{quic: {}}", "drop", H3)
    assert (by_form.outcome, by_form.mechanism) == ("quic.drop", "quic.drop")


def test_one_ip_version(ask: Asks) -> None:
    four = "{ip: 104.244.42.0/24}"
    assert [ask(four, "drop", HTTPS, ipv=ipv).outcome for ipv in (4, 6)] == ["ip.drop", "ok"]
    assert [ask(SNI, "drop", HTTPS, ipv=ipv).outcome for ipv in (4, 6)] == ["tls.sni.drop"] * 2


@pytest.mark.parametrize(
    ("client", "old", "whole"),
    [
        ("openssl", {"tls.sni.drop": 1}, {"tls.sni.drop": 1}),
        ("chrome-2022", {"tls.sni.drop": 1}, {"tls.sni.drop": 1}),
        ("go", {"ok": 1}, {"tls.sni.drop": 1}),
        ("firefox", {"ok": 1}, {"tls.sni.drop": 1}),
        ("chrome", {"ok": 1}, {"tls.sni.drop": 1}),
    ],
)
def test_a_name_in_two_segments(
    ask: Asks, client: str, old: dict[str, float], whole: dict[str, float]
) -> None:
    """A box that reads single segments needs the whole ClientHello in one; one that reassembles does not."""
    assert ask(SNI, "drop", HTTPS, client=client).chances == old
    assert ask(SNI, "drop", HTTPS, client=client, more="model: Rv").chances == whole


def test_a_box_that_searches_every_segment_finds_chromes_name_nearly_always(
    ask: Asks,
) -> None:
    """TRACES: the name was across the boundary of two segments in 6 of 107."""
    assert ask(SNI, "drop", HTTPS, client="chrome", more="model: A").chances["tls.sni.drop"] >= 0.75
    assert ask(SNI, "drop", HTTPS, client="chrome", more="model: P").chances == {"ok": 1}


@pytest.mark.parametrize(
    ("client", "in_2023", "in_2026"),
    [
        ("aioquic", "ok", "quic.drop"),
        ("quiche", "ok", "quic.drop"),
        ("firefox", "ok", "quic.drop"),
        ("chrome-2022", "quic.drop", "quic.drop"),
        ("chrome", "ok", "quic.drop"),
    ],
)
def test_which_forms_of_an_initial_a_box_reads(ask: Asks, client: str, in_2023: str, in_2026: str) -> None:
    """NTC1823 #74: in 2023 Chromium's form of one datagram, and neither Firefox's nor quiche's."""
    by_name = "{quic.sni: twitter.com}"
    assert ask(by_name, "drop", H3, client=client, profile="t22").outcome == in_2023
    assert ask(by_name, "drop", H3, client=client, profile="t26").outcome == in_2026


def test_what_is_left_to_chance_is_asked_draw_by_draw(ask: Asks) -> None:
    half = ask(SNI, "rst-rewrite", HTTPS, more="miss: {rst-rewrite: 50 %}")
    assert set(half.chances) == {"ok", "tls.sni.rst"}
    assert sum(half.chances.values()) == pytest.approx(1)
    assert ask(SNI, "rst-rewrite", HTTPS).chances == {"tls.sni.rst": 1}


def test_of_two_rules_that_acted_the_one_that_decides_is_named(ask: Asks) -> None:
    late = "action: {delay: {by: 50 ms}}\n      - name: silence\n        match: {tls.sni: twitter.com}"
    found = ask(f"{{dns.qname: twitter.com}}\n        {late}", "drop", HTTPS)
    assert found.rules == ("mts/box/rule", "mts/box/silence")
    assert (found.outcome, found.rule) == ("tls.sni.drop", "mts/box/silence")


@pytest.mark.parametrize("url", ["openvpn://vpn.foreign.example/", "wireguard://vpn.foreign.example/"])
def test_a_tunnel_and_its_twin_on_a_line_without_a_box(url: str) -> None:
    asker = Asker(load("vpn-blocking-2023"))
    cut = asker.record("wave", "mts", parse(url))
    assert (cut.mechanism, cut.layer) == ("vpn.drop", "protocol")
    assert cut.rule.endswith(f"/{url.partition(':')[0]}-data")
    assert asker.record("wave", "rostelecom", parse(url)).outcome == "ok"
