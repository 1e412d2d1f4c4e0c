"""Timelines made by hand, each beside a healthy outside; and any junk at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.measurement.ooni import Measurement
from testbed.scenario.labels import LABELS
from testbed.truth.classify import _FAULT, classify, turned_away

from .timelines import binary, connect, fine, handshake, lookup, measured, page

SILENT, RESET = "generic_timeout_error", "connection_reset"
OUTSIDE = fine(vantage="outside")
NOTHING = Measurement.from_json({})
H3 = "h3://site.example/"

BEGUN = {"body": "<title>Site</title>"}


def stopped(**steps):
    """The handshake went through, the request did not."""
    return measured(dns=None, tcp=None, tls=None, **steps)


CASES = {
    "works": (fine(), "ok"),
    "no such name": (measured(dns="dns_nxdomain_error"), "dns.nxdomain"),
    "refused by the resolver": (measured(dns="dns_refused_error"), "dns.error"),
    "the resolver fails": (measured(dns="dns_servfail_error"), "dns.error"),
    "no address": (measured(dns="dns_no_answer"), "dns.error"),
    "resolver silent": (measured(dns=SILENT), "dns.drop"),
    "resolver unreachable": (measured(dns="host_unreachable"), "ip.icmp"),
    "sinkhole, dead": (measured(dns=None, addresses=["10.0.0.1"], tcp=SILENT), "dns.poison"),
    "sinkhole, with a page": (fine(addresses=["10.0.0.1"], page={"code": 302}), "dns.poison"),
    "one address in common": (fine(addresses=["1.2.3.4", "1.2.3.5"]), "ok"),
    "SYN dropped": (measured(dns=None, tcp=SILENT), "ip.drop"),
    "SYN refused": (measured(dns=None, tcp="connection_refused"), "ip.rst"),
    "SYN answered by ICMP": (measured(dns=None, tcp="host_unreachable"), "ip.icmp"),
    "the server refuses visitors from here": (fine(page={"code": 403}), "refused"),
    "SNI-I": (measured(dns=None, tcp=None, tls=RESET), "tls.sni.rst"),
    "FIN after the ClientHello": (measured(dns=None, tcp=None, tls="eof_error"), "tls.sni.fin"),
    "FIN at the request, encrypted": (
        measured(dns=None, tcp=None, tls=None, http="eof_error"), "tls.sni.fin",
    ),
    "a pipe that broke": (measured(dns=None, tcp=None, tls="unknown_failure: broken pipe"), "tls.sni.rst"),
    "ICMPv6, prohibited": (measured(dns=None, tcp="permission_denied"), "ip.icmp"),
    "reset at the request, encrypted": (measured(dns=None, tcp=None, tls=None, http=RESET), "tls.sni.rst"),
    "SNI-IV": (measured(dns=None, tcp=None, tls=SILENT), "tls.sni.drop"),
    "SNI-II in the handshake": (measured(dns=None, tcp=None, tls=SILENT, reads=[0.09, 0.1]), "tls.sni.drop"),
    "SNI-II after the handshake": (
        measured(dns=None, tcp=None, tls=None, http=SILENT, reads=[0.09, 0.12]), "tls.sni.drop",
    ),
    "SNI-II in the answer": (
        stopped(http=SILENT, page=BEGUN, reads=[0.09, 0.15], end=4.2), "freeze",
    ),
    "frozen answer": (
        stopped(http=SILENT, page=BEGUN, reads=[0.11, 0.4], end=4.4), "freeze",
    ),
    "frozen answer on a slow link": (
        stopped(http=SILENT, page=BEGUN, reads=[0.3, 0.6, 0.9, 1.2, 1.5], end=5.5), "freeze",
    ),
    "trickling answer": (
        stopped(http=SILENT, page=BEGUN, reads=[0.3, 3.0, 6.0, 9.0], end=10.1), "throttle",
    ),
    "cut answer": (stopped(http=RESET, page=BEGUN), "http.rst"),
    # OONI22 and ntc.party 1724: 1,024 bytes by 5.78 s, 848 more by 9.47 s; 517+507 at 4.80 s, 336 at 10.11 s
    "SNI-III": (measured(dns=None, tcp=None, tls=SILENT, reads=[5.78, 9.47]), "throttle"),
    "SNI-III, one piece only": (measured(dns=None, tcp=None, tls=SILENT, reads=[0.09, 4.8]), "throttle"),
    "SNI-III, in the answer": (
        measured(dns=None, tcp=None, tls=None, http=SILENT, reads=[0.09, 4.8, 9.0]), "throttle",
    ),
    "a handshake of seven seconds": (fine(tls_end=7.0), "throttle"),
    "a page of five seconds": (fine(end=5.0), "throttle"),
    "a page a little slower": (fine(end=0.9), "ok"),
    "own certificate": (measured(dns=None, tcp=None, tls="ssl_unknown_authority"), "tls.mitm"),
    "trusted, other issuer": (fine(issuer="State CA"), "tls.mitm"),
    "renewed, same issuer": (fine(leaf=2), "ok"),
    "no TLS at all": (measured(dns=None, tcp=None, tls="ssl_failed_handshake"), "tls.mitm"),
}  # fmt: skip

PLAIN = "http://site.example/"
CUT = "<title>Site</title>"
MOVED = {"code": 302, "headers_list": [["location", "http://warning.example/"]], "body": ""}
HTTP_CASES = {
    "works": (fine(PLAIN), "ok"),
    "reset": (measured(PLAIN, dns=None, tcp=None, http=RESET), "http.rst"),
    "closed": (measured(PLAIN, dns=None, tcp=None, http="eof_error"), "http.fin"),
    "silence": (measured(PLAIN, dns=None, tcp=None, http=SILENT), "http.drop"),
    "redirect": (fine(PLAIN, page=MOVED), "http.page"),
    "page": (
        fine(PLAIN, page={"body": "<title>Доступ ограничен</title>"}),
        "http.page",
    ),
    "page without end": (
        measured(PLAIN, dns=None, tcp=None, http=SILENT, page={"body": "<title>No</title>"}),
        "http.page",
    ),
    "status": (fine(PLAIN, page={"code": 451}), "http.page"),
    "no HTTP": (measured(PLAIN, dns=None, tcp=None, http="http_request_failed"), "http.page"),
    "same title, tiny": (fine(PLAIN, page={"body": "<title>Site</title>x"}), "http.page"),
    "same title, nearly as long": (fine(PLAIN, page={"body": "<title>Site</title>" + 431 * "y"}), "ok"),
    "same title, cut by the recorder": (
        fine(
            PLAIN, page=page(body="<title>Site</title>", content_length="500") | {"body_is_truncated": True}
        ),
        "ok",
    ),
    "bytes that are no text": (fine(PLAIN, page={"body": binary(bytes(range(256)))}), "http.page"),
}

H3_CASES = {
    "works": (fine(H3), "ok"),
    "silence": (measured(H3, dns=None, quic=SILENT), "quic.drop"),
    "silence later": (measured(H3, dns=None, quic=None, http=SILENT), "quic.drop"),
    "silence in the answer": (
        measured(H3, dns=None, quic=None, http=SILENT, page=BEGUN, reads=[0.2], end=4.2),
        "freeze",
    ),
    "trickle": (measured(H3, dns=None, quic=SILENT, reads=[5.0]), "throttle"),
    "own certificate": (measured(H3, dns=None, quic="ssl_unknown_authority"), "tls.mitm"),
    "ICMP": (measured(H3, dns=None, quic="host_unreachable"), "ip.icmp"),
    "another page": (fine(H3, page={"code": 451}), "refused"),
}


@pytest.mark.parametrize(("seen", "label"), CASES.values(), ids=CASES)
def test_https(seen, label):
    assert classify(seen, OUTSIDE) == label


@pytest.mark.parametrize(("seen", "label"), HTTP_CASES.values(), ids=HTTP_CASES)
def test_http(seen, label):
    assert classify(seen, fine(PLAIN)) == label


@pytest.mark.parametrize(("seen", "label"), H3_CASES.values(), ids=H3_CASES)
def test_quic(seen, label):
    assert classify(seen, fine(H3)) == label


def test_a_protocol_that_has_no_layer_of_its_own():
    greeting = "tcp://site.example:25"

    def stopped_by(failure, **more):
        seen = measured(greeting, dns=None, tcp=None, **more)
        return replace(seen, test_keys=replace(seen.test_keys, failure=failure))

    works = stopped_by(None)
    assert classify(works, works) == "ok"
    assert classify(stopped_by(SILENT), works) == "ip.drop"
    assert classify(stopped_by(RESET), works) == "ip.rst"
    assert classify(stopped_by("eof_error"), works) == "ip.fin"
    assert classify(stopped_by(SILENT, reads=[3.0]), works) == "throttle"
    assert classify(stopped_by("unknown_failure: oops"), works) == "broken"
    assert classify(measured(greeting, dns=None, tcp=SILENT), works) == "ip.drop"


def test_a_protocol_over_udp():
    tunnel = "wireguard://site.example:51820"
    silent = measured(tunnel, dns=None)
    silent = replace(silent, test_keys=replace(silent.test_keys, failure=SILENT))
    assert classify(silent, measured(tunnel, dns=None)) == "ip.drop"


def test_dns_targets():
    ask = "dns://8.8.8.8/site.example"
    assert classify(fine(ask), fine(ask)) == "ok"
    assert classify(fine(ask, addresses=["10.0.0.1"]), fine(ask)) == "dns.poison"
    assert classify(measured(ask, dns=SILENT), fine(ask)) == "dns.drop"
    over_tcp = "dns+tcp://8.8.8.8/site.example"
    assert classify(measured(over_tcp, tcp=SILENT), fine(over_tcp)) == "dns.drop"
    assert classify(measured(over_tcp, tcp="connection_refused"), fine(over_tcp)) == "ip.rst"
    assert classify(measured(over_tcp, tcp=None, dns=RESET), fine(over_tcp)) == "dns.rst"


@pytest.mark.parametrize(
    ("mine", "outside", "label"),
    [
        ((138e3, 8.0), (212e6, 0.1), "throttle"),
        ((138e3, 8.0), (150e3, 8.0), "ok"),  # the site itself is slow
        ((30e6, 0.1), (212e6, 0.015), "ok"),  # a busy machine: a small part of the speed, but 0.1 s
        ((100e6, 2.0), (212e6, 1.0), "ok"),
        ((138e3, 2.0), (0.0, 0.0), "ok"),
    ],
)
def test_speeds(mine, outside, label):
    target = "https://site.example/bytes/400000"
    assert classify(fine(target, speed=mine, end=8.1), fine(target, speed=outside)) == label


@pytest.mark.parametrize(
    "seen", [measured(dns=None, tcp=SILENT), measured(dns="dns_nxdomain_error"), NOTHING]
)
def test_what_fails_outside_too_is_broken(seen):
    dead = measured(dns=None, tcp=None, tls=RESET)
    assert classify(seen, dead) == "broken"
    assert classify(seen, NOTHING) == "broken"
    assert classify(fine(), dead) == "ok"


def test_without_an_outside_a_failure_counts():
    assert classify(measured(dns=None, tcp=None, tls=RESET), None) == "tls.sni.rst"
    assert classify(fine(page={"code": 418}), None) == "ok"
    assert classify(NOTHING, None) == "broken"


def several(*lookups, connects=(), requests=(), tls=()):
    """A record that asked several resolvers, as OONI's web_connectivity makes it."""
    keys = {"queries": list(lookups), "tcp_connect": list(connects), "requests": list(requests)}
    keys["tls_handshakes"] = list(tls)
    return Measurement.from_json({"input": PLAIN, "test_keys": keys})


HONEST = lookup(None, "1.2.3.4", resolver="https://dns.google/dns-query", engine="doh")
OPENS = connect(None)
SHOWN = {"failure": None, "request": {"url": PLAIN}, "response": page()}
AT_RT = {"failure": None, "request": {"url": "http://warning.rt.ru/"}, "response": page(body="Нет")}
MOVED_TO_RT = {
    "failure": None,
    "request": {"url": PLAIN},
    "response": page(302, location="http://warning.rt.ru/"),
}
TO_WWW = {
    "failure": None,
    "request": {"url": PLAIN},
    "response": page(302, location="https://www.site.example/"),
}
WWW = lookup(None, "1.2.3.5", name="www.site.example")
WWW_OPENS = connect(None, "1.2.3.5")
ALONE = {
    "nothing wrong": (several(lookup(None, "1.2.3.4"), HONEST, connects=[OPENS], requests=[SHOWN]), "ok"),
    "only the operator's says NXDOMAIN": (
        several(lookup("dns_nxdomain_error"), HONEST, connects=[OPENS], requests=[SHOWN]), "dns.nxdomain",
    ),
    "the public one is silent": (
        several(lookup(None, "1.2.3.4"), lookup(SILENT, resolver="8.8.8.8:53"), connects=[OPENS]), "dns.drop",
    ),
    "a lie to an address that refuses": (
        several(lookup(None, "5.6.7.8"), HONEST, requests=[SHOWN],
                connects=[connect("connection_refused", "5.6.7.8"), OPENS]), "dns.poison",
    ),
    "a lie to an address with another certificate": (
        several(lookup(None, "5.6.7.8"), HONEST, connects=[connect(None, "5.6.7.8"), OPENS],
                tls=[handshake("ssl_unknown_authority", ip="5.6.7.8"), handshake(None)]), "dns.poison",
    ),
    "another certificate everywhere": (
        several(HONEST, connects=[OPENS], tls=[handshake("ssl_unknown_authority")]), "tls.mitm",
    ),
    "a redirect to a name that is reset": (
        several(HONEST, WWW, connects=[OPENS, WWW_OPENS], requests=[TO_WWW],
                tls=[handshake(None), handshake(RESET, "www.site.example", "1.2.3.5")]), "tls.sni.rst",
    ),
    "a redirect to a name that is silent": (
        several(HONEST, WWW, connects=[OPENS, WWW_OPENS], requests=[TO_WWW],
                tls=[handshake(None), handshake(SILENT, "www.site.example", "1.2.3.5")]), "tls.sni.drop",
    ),
    "a redirect to an address that refuses": (
        several(HONEST, WWW, connects=[OPENS, connect("connection_refused", "1.2.3.5")], requests=[TO_WWW]),
        "ip.rst",
    ),
    "a redirect to a name that is not there": (
        several(HONEST, lookup("dns_nxdomain_error", name="www.site.example"), connects=[OPENS],
                requests=[TO_WWW]), "dns.nxdomain",
    ),
    "one of two addresses, over IPv6": (
        several(lookup(None, "1.2.3.4", "2001:4860::1"), requests=[SHOWN],
                connects=[OPENS, connect("network_unreachable", "2001:4860::1")]), "ok",
    ),
    "two addresses of a network of servers": (
        several(lookup(None, "5.6.7.8"), HONEST, connects=[connect(None, "5.6.7.8"), OPENS]), "ok",
    ),
    "an address that is nobody's": (several(lookup(None, "10.10.10.10")), "dns.poison"),
    "rejected as nobody's": (several(lookup("dns_bogon_error")), "dns.poison"),
    "a redirect to a block page, followed": (
        several(HONEST, connects=[OPENS], requests=[AT_RT, MOVED_TO_RT]), "http.page",
    ),
    "a redirect to a block page": (several(HONEST, connects=[OPENS], requests=[MOVED_TO_RT]), "http.page"),
    "a redirect elsewhere": (
        several(HONEST, connects=[OPENS], requests=[
            SHOWN | {"response": page(302, location="http://www.site.example/")}]), "ok",
    ),
    "unavailable for legal reasons": (
        several(HONEST, connects=[OPENS], requests=[SHOWN | {"response": page(451)}]), "http.page",
    ),
    "the registry's text": (
        several(HONEST, requests=[SHOWN | {"response": page(body="<a href='http://eais.rkn.gov.ru/'>")}]),
        "http.page",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "label"), ALONE.values(), ids=ALONE)
def test_a_record_that_asked_several_resolvers_and_has_no_outside(seen, label):
    assert classify(seen, None) == label


@pytest.mark.parametrize(
    ("seen", "label"),
    [
        (ALONE["only the operator's says NXDOMAIN"][0], "dns.nxdomain"),
        (ALONE["a lie to an address that refuses"][0], "dns.poison"),
        (several(lookup(None, "5.6.7.8"), HONEST, connects=[connect(None, "5.6.7.8"), OPENS]), "dns.poison"),
        (ALONE["a redirect to a block page, followed"][0], "http.page"),
        (ALONE["nothing wrong"][0], "ok"),
    ],
)
def test_a_record_that_asked_several_resolvers_beside_an_outside(seen, label):
    assert classify(seen, fine(PLAIN)) == label


SAVED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "measurement/data/results.jsonl").read_text().splitlines()
]


def without_extensions(document):
    """Only what OONI's format has."""
    if isinstance(document, dict):
        return {key: without_extensions(value) for key, value in document.items() if key[:2] != "x_"}
    return [without_extensions(item) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize("document", SAVED, ids=lambda one: f"{one['annotations']['vantage']} {one['input']}")
@pytest.mark.parametrize("alone", [False, True])
def test_a_label_does_not_rest_on_keys_of_our_own(document, alone):
    controls = [one for one in SAVED if one["input"] == document["input"]]
    control = next((one for one in controls if one["annotations"]["vantage"] == "outside"), None)
    whole, bare = Measurement.from_json(document), Measurement.from_json(without_extensions(document))
    true = None if alone or control is None else Measurement.from_json(control)
    bare_true = true and Measurement.from_json(without_extensions(control))
    assert bare.test_keys.flows is None
    assert (
        classify(bare, bare_true)
        == classify(whole, true)
        == EXPECTED[document["annotations"]["vantage"]].get(document["input"], "ok")
    )


EXPECTED = {
    "outside": {},
    "mts": {
        "https://twitter.com/": "tls.sni.rst",
        "h3://twitter.com/": "quic.drop",
        "dns://8.8.8.8/meduza.io": "dns.poison",
        "https://www.bbc.com/": "ip.drop",
        "http://www.dw.com/": "http.page",
        "https://www.dw.com/": "tls.mitm",
    },
}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([SILENT, RESET, "read", "udp", "connection_refused", "302"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["failure", "status", "answers", "ipv4", "response", "code", "headers_list", "t",
                         "t0", "network", "peer_certificates", "data", "num_bytes", "operation",
                         "bits_per_second", "seconds", "ip", "resolver_address", "body", "request", "url"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ENTRY = st.dictionaries(st.sampled_from(["failure", "status", "response", "answers"]), JUNK)
KEYS = ["queries", "tcp_connect", "tls_handshakes", "requests", "network_events", "x_speed", "failure"]


@given(
    st.dictionaries(st.sampled_from(KEYS), JUNK | st.lists(ENTRY)),
    st.sampled_from([OUTSIDE, fine(H3), None]),
)  # fmt: skip
def test_odd_input_gets_a_label_and_never_an_exception(keys, control):
    for document in ({"input": "https://x/", "test_keys": keys}, keys):
        odd = Measurement.from_json(document)
        assert classify(odd, control) in LABELS
        assert classify(OUTSIDE, odd) in LABELS


def test_one_address_that_is_nobodys_among_others():
    assert classify(several(lookup(None, "1.2.3.4", "10.10.10.10")), None) == "dns.poison"


def test_the_host_of_a_block_page_is_not_blocked_by_showing_it():
    keys = {"queries": [lookup(None, "1.2.3.4")], "tcp_connect": [connect(None)], "requests": [AT_RT]}
    document = {"input": "http://warning.rt.ru/", "test_keys": keys | {"tls_handshakes": []}}
    assert classify(Measurement.from_json(document), None) == "ok"


@pytest.mark.parametrize(
    ("target", "label"),
    [("https://site.example/", "ok"), (H3, "ok"), ("http://site.example/", "dns.poison")],
)
def test_other_addresses_with_the_sites_certificate_are_no_lie(target, label):
    assert classify(fine(target, addresses=["5.6.7.8"]), fine(target)) == label


@pytest.mark.parametrize(
    ("reads", "end", "label"),
    [
        ([2.1, 4.1], 7.9, "throttle"),  # no pause is twice as long as the longest
        ([2.1, 4.1], 9.0, "freeze"),
        ([4.1, 4.2], 12.0, "throttle"),  # the wait for the first bytes is a pause, too
        ([4.1, 4.2], 12.5, "freeze"),
    ],
)
def test_a_trickle_or_a_stop(reads, end, label):
    assert classify(stopped(http=SILENT, page=BEGUN, reads=reads, end=end), None) == label


@pytest.mark.parametrize(("status", "away"), [(_FAULT - 1, False), (_FAULT, True), (503, True)])
def test_who_is_turned_away(status, away):
    assert turned_away(fine(page={"code": status}), fine()) is away
