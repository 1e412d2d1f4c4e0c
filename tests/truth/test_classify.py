"""Timelines made by hand, each beside a healthy outside; and any junk at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.measurement.ooni import Measurement
from testbed.scenario.labels import LABELS
from testbed.truth.classify import classify

from .timelines import fine, measured

SILENT, RESET = "generic_timeout_error", "connection_reset"
OUTSIDE = fine(vantage="outside")
NOTHING = Measurement.from_json({})
H3 = "h3://site.example/"

BEGUN = {"x_complete": False}


def stopped(**steps):
    """The handshake went through, the request did not."""
    return measured(dns=None, tcp=None, tls=None, **steps)


CASES = {
    "works": (fine(), "ok"),
    "no such name": (measured(dns="dns_nxdomain_error"), "dns.nxdomain"),
    "refused by the resolver": (measured(dns="dns_refused_error"), "dns.nxdomain"),
    "no address": (measured(dns="dns_no_answer"), "dns.nxdomain"),
    "resolver silent": (measured(dns=SILENT), "dns.drop"),
    "resolver unreachable": (measured(dns="host_unreachable"), "ip.icmp"),
    "sinkhole, dead": (measured(dns=None, addresses=["10.0.0.1"], tcp=SILENT), "dns.poison"),
    "sinkhole, with a page": (fine(addresses=["10.0.0.1"], page={"code": 302}), "dns.poison"),
    "one address in common": (fine(addresses=["1.2.3.4", "1.2.3.5"]), "ok"),
    "SYN dropped": (measured(dns=None, tcp=SILENT), "ip.drop"),
    "SYN refused": (measured(dns=None, tcp="connection_refused"), "ip.rst"),
    "SYN answered by ICMP": (measured(dns=None, tcp="host_unreachable"), "ip.icmp"),
    "SNI-I": (measured(dns=None, tcp=None, tls=RESET), "tls.sni.rst"),
    "FIN after the ClientHello": (measured(dns=None, tcp=None, tls="eof_error"), "tls.sni.rst"),
    "reset at the request, encrypted": (measured(dns=None, tcp=None, tls=None, http=RESET), "tls.sni.rst"),
    "SNI-IV": (measured(dns=None, tcp=None, tls=SILENT), "tls.sni.drop"),
    "SNI-II in the handshake": (measured(dns=None, tcp=None, tls=SILENT, reads=[0.09, 0.1]), "tls.sni.drop"),
    "SNI-II after the handshake": (
        measured(dns=None, tcp=None, tls=None, http=SILENT, reads=[0.09, 0.12]), "tls.sni.drop",
    ),
    "SNI-II in the answer": (
        stopped(http=SILENT, page=BEGUN, reads=[0.09, 0.15]), "http.drop",
    ),
    "frozen answer": (
        stopped(http=SILENT, page=BEGUN, reads=[0.11, 0.4]), "http.drop",
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
    "trusted, other issuer": (fine(leaf="22", issuer="CN=State CA"), "tls.mitm"),
    "renewed, same issuer": (fine(leaf="22"), "ok"),
    "no TLS at all": (measured(dns=None, tcp=None, tls="ssl_failed_handshake"), "tls.mitm"),
}  # fmt: skip

PLAIN = "http://site.example/"
MOVED = {"code": 302, "headers_list": [["location", "http://warning.example/"]], "body": ""}
HTTP_CASES = {
    "works": (fine(PLAIN), "ok"),
    "reset": (measured(PLAIN, dns=None, tcp=None, http=RESET), "http.rst"),
    "closed": (measured(PLAIN, dns=None, tcp=None, http="eof_error"), "http.rst"),
    "silence": (measured(PLAIN, dns=None, tcp=None, http=SILENT), "http.drop"),
    "redirect": (fine(PLAIN, page=MOVED), "http.page"),
    "page": (
        fine(PLAIN, page={"body": "<title>Доступ ограничен</title>", "x_body_sha256": "bb"}),
        "http.page",
    ),
    "page without end": (
        measured(
            PLAIN, dns=None, tcp=None, http=SILENT, page={"body": "<title>No</title>", "x_complete": False}
        ),
        "http.page",
    ),
    "status": (fine(PLAIN, page={"code": 451}), "http.page"),
    "no HTTP": (measured(PLAIN, dns=None, tcp=None, http="http_request_failed"), "http.page"),
    "same title, tiny": (fine(PLAIN, page={"x_body_sha256": "bb", "x_body_bytes": 50}), "http.page"),
    "same title, nearly as long": (fine(PLAIN, page={"x_body_sha256": "bb", "x_body_bytes": 450}), "ok"),
}

H3_CASES = {
    "works": (fine(H3), "ok"),
    "silence": (measured(H3, dns=None, quic=SILENT), "quic.drop"),
    "silence later": (measured(H3, dns=None, quic=None, http=SILENT), "quic.drop"),
    "own certificate": (measured(H3, dns=None, quic="ssl_unknown_authority"), "tls.mitm"),
    "ICMP": (measured(H3, dns=None, quic="host_unreachable"), "ip.icmp"),
    "another page": (fine(H3, page={"code": 451}), "http.page"),
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
    assert classify(stopped_by(SILENT, reads=[3.0]), works) == "throttle"
    assert classify(stopped_by("unknown_failure: oops"), works) == "broken"
    assert classify(measured(greeting, dns=None, tcp=SILENT), works) == "ip.drop"


def test_dns_targets():
    ask = "dns://8.8.8.8/site.example"
    assert classify(fine(ask), fine(ask)) == "ok"
    assert classify(fine(ask, addresses=["10.0.0.1"]), fine(ask)) == "dns.poison"
    assert classify(measured(ask, dns=SILENT), fine(ask)) == "dns.drop"
    over_tcp = "dns+tcp://8.8.8.8/site.example"
    assert classify(measured(over_tcp, tcp=SILENT), fine(over_tcp)) == "dns.drop"
    assert classify(measured(over_tcp, tcp="connection_refused"), fine(over_tcp)) == "ip.rst"


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
    assert classify(fine(page={"code": 451}), None) == "ok"
    assert classify(NOTHING, None) == "broken"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([SILENT, RESET, "read", "udp", "connection_refused", "302"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["failure", "status", "answers", "ipv4", "response", "code", "headers_list", "t",
                         "t0", "network", "peer_certificates", "data", "num_bytes", "operation",
                         "bits_per_second", "seconds", "body"]),
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
