"""The probe against real servers that behave in one way each."""

import re
import socket
import time
from ipaddress import ip_address

import dns.rcode
import pytest
import trustme

from testbed.censor.flow import FlowKey
from testbed.measurement.networks import AutonomousSystem
from testbed.measurement.ooni import DnsAnswer, Measurement, TcpStatus
from testbed.probe.log import ProbePlace

from .conftest import NAME, measure, one_tcp_answer, page, read_head, reset, until_gone

MTS = ProbePlace("mts", AutonomousSystem(8359, "MTS"), "RU")
QUICK = 0.6  # s without an answer that count as a time-out: loopback needs no more


def https(lab, port, path="/", resolver=None, **options):
    asked = (resolver or lab.resolver("127.0.0.1"),)
    options = {"timeout": QUICK, "ca_file": lab.ca_file} | options
    return measure(f"https://{NAME}:{port}{path}", resolver=asked, **options)


def test_a_good_page_leaves_every_block_filled(lab):
    seen = https(lab, lab.start(lab.tls(page())), place=MTS)
    keys = seen.test_keys
    assert seen.failure is None
    assert keys.queries[0].answers == (DnsAnswer("A", ipv4="127.0.0.1", ttl=60),)
    assert keys.tcp_connect[0].status == TcpStatus(None, success=True)
    assert keys.tls_handshakes[0].leaf_sha256
    assert "trustme" in keys.tls_handshakes[0].issuer
    assert keys.requests[0].response.code == 200
    assert keys.requests[0].response.complete
    assert {event.operation for event in keys.network_events} >= {"connect", "write", "read"}
    assert all(0 <= event.t0 <= event.t <= seen.runtime for event in keys.network_events)
    document = seen.to_json()
    assert document["probe_asn"] == "AS8359"
    assert Measurement.from_json(document) == seen


def test_every_socket_that_sent_is_recorded_as_the_censors_name_flows(lab):
    """By that text a measurement is joined to the events of the censors that it met."""
    met = []

    def behave(sock):
        met.append(sock.getpeername()[1])
        reset(sock)

    resolver, port = lab.resolver("127.0.0.1"), lab.start(behave)
    asked, connected = https(lab, port, resolver=resolver).test_keys.flows
    assert re.fullmatch(rf"udp 127\.0\.0\.1:\d+ > {re.escape(resolver)}", asked)
    assert connected == f"tcp 127.0.0.1:{met[0]} > 127.0.0.1:{port}"
    loopback = ip_address("127.0.0.1").packed
    assert connected == str(FlowKey(loopback, met[0], loopback, port, 6))


def test_a_connection_that_never_came_about_has_its_flow_too(lab):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        first.connect(full.getsockname())
        port = full.getsockname()[1]
        seen = https(lab, port)
    assert seen.failure == "generic_timeout_error"
    assert seen.test_keys.flows[-1].endswith(f" > 127.0.0.1:{port}")


def test_a_closed_port_is_refused_at_once(lab):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = https(lab, port)
    assert (seen.failure, seen.test_keys.failed_step) == ("connection_refused", "tcp")
    assert seen.runtime < QUICK / 2


def test_silence_after_the_client_hello(lab):
    seen = https(lab, lab.start(until_gone))
    assert (seen.failure, seen.test_keys.failed_step) == ("generic_timeout_error", "tls")
    assert QUICK * 0.9 < seen.runtime < QUICK * 1.8
    assert seen.test_keys.tcp_info.bytes_acked > 200  # the ClientHello arrived: not SNI-IV


def test_reset_after_the_client_hello(lab):
    def behave(sock):
        sock.recv(65536)
        reset(sock)

    seen = https(lab, lab.start(behave))
    assert (seen.failure, seen.test_keys.failed_step) == ("connection_reset", "tls")
    assert seen.runtime < QUICK / 2


def test_end_of_stream_after_the_client_hello(lab):
    assert https(lab, lab.start(lambda sock: sock.recv(65536) and None)).failure == "eof_error"


def test_a_trickle_gets_more_time_than_silence(lab):
    def behave(sock):
        sock.recv(65536)
        for byte in b"\x16\x03\x03\x0f\xff\x02":  # the beginning of a record that never ends
            sock.sendall(bytes([byte]))
            time.sleep(QUICK * 0.6)

    seen = https(lab, lab.start(behave))
    assert (seen.failure, seen.test_keys.failed_step) == ("generic_timeout_error", "tls")
    events = seen.test_keys.network_events
    reads = [event for event in events if event.operation == "read" and not event.failure]
    assert len(reads) >= 3
    assert seen.runtime < QUICK * 3


@pytest.mark.parametrize(
    ("wrong", "failure"),
    [("authority", "ssl_unknown_authority"), ("name", "ssl_invalid_hostname")],
)
def test_another_certificate(lab, wrong, failure):
    served = {"authority": {"ca": trustme.CA()}, "name": {"name": "other.example"}}[wrong]
    assert https(lab, lab.start(lab.tls(page(), **served))).failure == failure


def test_plain_text_where_tls_should_be(lab):
    assert (
        https(lab, lab.start(page())).failure == "generic_timeout_error"
    )  # waits for a head that never comes

    def behave(sock):
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    assert https(lab, lab.start(behave)).failure == "ssl_failed_handshake"


def test_reset_and_silence_after_the_request(lab):
    def cut(sock):
        read_head(sock)
        reset(sock)

    cut_short, silent, closed = (
        measure(f"http://127.0.0.1:{lab.start(behave)}/", resolver=(), timeout=QUICK)
        for behave in (cut, until_gone, lambda sock: read_head(sock) and None)
    )
    assert (cut_short.failure, cut_short.test_keys.failed_step) == ("connection_reset", "http")
    assert (silent.failure, silent.test_keys.failed_step) == ("generic_timeout_error", "http")
    assert closed.failure == "eof_error"


def test_a_redirect_is_recorded_and_not_followed(lab):
    moved = page(b"", "302 Found", "Location: http://blocked.example/\r\n")
    seen = measure(f"http://127.0.0.1:{lab.start(moved)}/", resolver=(), timeout=QUICK)
    assert seen.failure is None
    assert seen.test_keys.requests[0].response.header("location") == "http://blocked.example/"
    assert seen.test_keys.queries == ()


def test_a_body_that_stops_is_a_failure_with_its_beginning(lab):
    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64000\r\n\r\n" + bytes(16000))
        until_gone(sock)

    seen = measure(f"http://127.0.0.1:{lab.start(behave)}/", resolver=(), timeout=QUICK)
    assert seen.failure == "generic_timeout_error"
    assert seen.test_keys.requests[0].response.body_bytes == 16000


def test_not_http_at_all(lab):
    def behave(sock):
        read_head(sock)
        sock.sendall(b"\x00\x01 nonsense\r\n\r\n")

    assert (
        measure(f"http://127.0.0.1:{lab.start(behave)}/", resolver=(), timeout=QUICK).failure
        == "http_request_failed"
    )


def test_dns_answers(lab):
    def ask(*resolvers):
        return measure(f"https://{NAME}/", resolver=resolvers, timeout=QUICK).failure

    assert ask(lab.resolver(rcode=dns.rcode.NXDOMAIN)) == "dns_nxdomain_error"
    assert ask(lab.resolver(rcode=dns.rcode.REFUSED)) == "dns_refused_error"
    assert ask(lab.resolver()) == "dns_no_answer"
    assert ask() == "dns_non_recoverable_failure"


def test_a_silent_resolver_is_asked_twice_within_one_time_out(lab):
    seen = measure(f"https://{NAME}/", resolver=(lab.resolver(answers=0),), timeout=QUICK)
    assert (seen.failure, seen.test_keys.failed_step) == ("generic_timeout_error", "dns")
    assert QUICK * 0.9 < seen.runtime < QUICK * 1.5


def test_the_second_resolver_is_asked_when_the_first_is_silent(lab):
    seen = https(lab, lab.start(lab.tls(page())), resolver=None)
    assert seen.failure is None
    both = (lab.resolver(answers=0), lab.resolver("127.0.0.1"))
    again = measure(f"http://{NAME}:{lab.start(page())}/", resolver=both, timeout=QUICK)
    assert [query.failure for query in again.test_keys.queries] == ["generic_timeout_error", None]
    assert again.failure is None


def test_a_dns_target_records_the_true_answer_after_the_forged_one(lab):
    ip, _, port = lab.resolver("10.10.10.10", truth="1.2.3.4").partition(":")
    seen = measure(f"dns://{ip}:{port}/{NAME}", resolver=(), timeout=QUICK)
    assert seen.test_keys.queries[0].answers[0].ipv4 == "10.10.10.10"
    assert seen.test_keys.dns_late_replies[0].answers[0].ipv4 == "1.2.3.4"
    honest = measure(f"dns://resolver/{NAME}", resolver=(lab.resolver("1.2.3.4"),), timeout=QUICK)
    assert honest.test_keys.dns_late_replies == ()


def test_dns_over_tcp(lab):
    seen = measure(f"dns+tcp://127.0.0.1:{lab.start(one_tcp_answer)}/{NAME}", resolver=(), timeout=QUICK)
    assert seen.test_keys.queries[0].answers[0].ipv4 == "1.2.3.4"
    silent = measure(f"dns+tcp://127.0.0.1:{lab.start(until_gone)}/{NAME}", resolver=(), timeout=QUICK)
    assert silent.failure == "generic_timeout_error"


def test_a_bug_of_the_probe_is_marked_as_one(lab, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("testbed.probe.lookup.resolve", broken)
    assert measure(f"https://{NAME}/", resolver=("127.0.0.1:9",)).test_keys.probe_error.startswith(
        "unknown_failure"
    )
