"""Field by field: what the probe writes is what was sent and seen, in OONI's words (df-000 to df-008)."""

import errno
import hashlib
import re
import socket
import ssl
import time
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
import trustme

from testbed.measurement.networks import AutonomousSystem, RoutingTable
from testbed.measurement.ooni import BinaryData
from testbed.probe import failure
from testbed.probe.log import ProbePlace
from tests.measurement.oonireader import lost, model_of, not_in_ooni

from .conftest import NAME, measure, one_tcp_answer, page, read_head, reset, until_gone

QUICK = 0.6


def https(lab, port, path="/", **options):
    options = {"timeout": QUICK, "ca_file": lab.ca_file, "resolver": (lab.resolver("127.0.0.1"),)} | options
    return measure(f"https://{NAME}:{port}{path}", **options)


def http(port, path="/"):
    return measure(f"http://127.0.0.1:{port}{path}", resolver=(), timeout=QUICK)


def cut(sock):
    sock.recv(65536)
    reset(sock)


def test_ooni_reads_all_of_every_kind_of_measurement(lab):
    tcp = lab.start(one_tcp_answer)
    made = [
        https(lab, lab.start(lab.tls(page()))),
        https(lab, lab.start(lab.tls(page(bytes(range(256)), headers="X-Odd: \xe9\r\n")))),
        https(lab, lab.start(lab.tls(page(), name="other.example"))),
        https(lab, lab.start(cut)),
        https(lab, lab.start(until_gone)),
        https(lab, 9, resolver=()),
        http(lab.start(page(b"", "302 Found", "Location: http://a.example/\r\n"))),
        http(lab.start(lambda sock: read_head(sock) and None)),
        measure(f"put+http://127.0.0.1:{lab.start(page())}/upload?bytes=9", resolver=(), timeout=QUICK),
        measure(f"dns+tcp://127.0.0.1:{tcp}/{NAME}", resolver=(), timeout=QUICK),
        measure(f"dns://resolver/{NAME}", resolver=(lab.resolver(answers=0),), timeout=QUICK),
    ]
    documents = [one.to_json() for one in made]
    assert {model_of(document).__name__ for document in documents} == {"UrlGetter"}
    assert [lost(document) for document in documents] == [[]] * len(made)
    assert [not_in_ooni(document) for document in documents] == [[]] * len(made)


def test_the_envelope(lab):
    place = ProbePlace("mts", AutonomousSystem(8359, "MTS"), "RU", ROUTES, "2022-03-05 12:00:00")
    seen = https(lab, lab.start(lab.tls(page())), place=place)
    document = seen.to_json()
    about = {name: document[name] for name in document if name.startswith(("probe", "resolver", "test_s"))}
    assert about == {
        "probe_asn": "AS8359", "probe_cc": "RU", "probe_ip": "127.0.0.1", "probe_network_name": "MTS",
        "resolver_asn": "AS64500", "resolver_ip": "127.0.0.1", "resolver_network_name": "Loopback",
        "test_start_time": "2022-03-05 12:00:00",
    }  # fmt: skip
    assert set(document["annotations"]) == {"architecture", "engine_name", "engine_version", "platform",
                                            "python_version", "vantage", "ip_version"}  # fmt: skip
    answer = seen.test_keys.queries[0].answers[0]
    assert (answer.asn, answer.as_org_name) == (64500, "Loopback")
    unknown = https(lab, lab.start(lab.tls(page())))
    assert (unknown.resolver_asn, unknown.resolver_network_name) == ("AS0", "")
    assert "asn" not in unknown.to_json()["test_keys"]["queries"][0]["answers"][0]


ROUTES = RoutingTable.of(
    [
        (ip_network("127.0.0.0/8"), AutonomousSystem(64501)),
        (ip_network("127.0.0.0/24"), AutonomousSystem(64500, "Loopback")),
    ]
)


def test_the_request_is_the_one_that_was_sent(lab):
    heads = []

    def behave(sock):
        heads.append(read_head(sock).decode())
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port = lab.start(behave)
    urls = [f"http://127.0.0.1:{port}/a?b=c", f"put+http://127.0.0.1:{port}/upload?bytes=5"]
    seen = [measure(url, resolver=(), timeout=QUICK).test_keys.requests[0].request for url in urls]
    for request, head in zip(seen, heads, strict=True):
        line, *headers = head.split("\r\n\r\n")[0].split("\r\n")
        assert [f"{name}: {value}" for name, value in request.headers_list] == headers
        assert dict(request.headers_list) == request.headers
        assert request.url == f"http://127.0.0.1:{port}{line.split()[1]}"
        assert (request.method, request.transport) == (line.split()[0], "tcp")
        assert request.tor.is_tor is False
    assert [request.body_is_truncated for request in seen] == [False, True]


def test_a_whole_redirect_is_not_truncated(lab):
    moved = page(b"gone", "302 Found", "Location: http://a.example/\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n")
    response = http(lab.start(moved)).test_keys.requests[0].response
    assert (response.code, response.body, response.body_is_truncated) == (302, "gone", False)
    assert response.complete is True
    assert response.headers["Set-Cookie"] == "a"  # the first of each name
    assert [value for name, value in response.headers_list if name == "Set-Cookie"] == ["a", "b"]


def test_only_what_is_not_recorded_is_truncated(lab):
    def body_of(size, path="/"):
        return http(lab.start(page(b"x" * size)), path).test_keys.requests[0].response

    kept = 1 << 17
    assert [body_of(size).body_is_truncated for size in (0, kept, kept + 1)] == [False, False, True]
    assert len(body_of(kept + 1).body) == kept
    assert len(body_of(9000, "/bytes/9000").body) == 8192

    def stops(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\nbegin")
        reset(sock)

    broken = http(lab.start(stops)).test_keys.requests[0]
    assert (broken.response.body, broken.response.body_is_truncated) == ("begin", False)
    assert broken.failure == "connection_reset"


def test_bytes_that_are_not_text_are_base64(lab):
    binary = bytes(range(256))
    response = http(lab.start(page(binary))).test_keys.requests[0].response
    assert response.body.format == "base64"
    assert b64decode(response.body.data) == binary
    text = http(lab.start(page("Доступ ограничен".encode()))).test_keys.requests[0].response
    assert text.body == "Доступ ограничен"

    def odd(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\nContent-Length: 0\r\n\r\n")

    response = http(lab.start(odd)).test_keys.requests[0].response
    assert response.headers["Location"] == BinaryData.of(b"/\xff")


def test_an_answer_that_never_came_is_an_empty_response(lab):
    exchange = http(lab.start(cut)).to_json()["test_keys"]["requests"][0]
    empty = {"body": "", "body_is_truncated": False, "code": 0, "headers_list": [], "headers": {}}
    assert {key: exchange["response"][key] for key in empty} == empty
    assert "alpn" not in exchange  # nothing was negotiated
    assert https(lab, lab.start(lab.tls(page()))).test_keys.requests[0].alpn is None


def chain_of(seen):
    return [one.to_bytes() for one in seen.test_keys.tls_handshakes[0].peer_certificates]


def test_the_whole_chain_is_recorded(lab):
    intermediate = lab.ca.create_child_ca()
    seen = https(lab, lab.start(lab.tls(page(), ca=intermediate)))
    assert seen.failure is None
    leaf, above = chain_of(seen)
    assert above == ssl.PEM_cert_to_DER_cert(intermediate.cert_pem.bytes().decode())
    handshake = seen.test_keys.tls_handshakes[0]
    assert handshake.leaf_sha256 == hashlib.sha256(leaf).hexdigest()
    assert (handshake.tls_version, handshake.cipher_suite[:4]) == ("TLSv1.3", "TLS_")


def long_ago(ca, name):
    now = datetime.now(UTC)
    return ca.issue_cert(name, not_before=now - timedelta(days=9), not_after=now - timedelta(days=2))


@pytest.mark.parametrize(
    ("authority", "name", "expired", "problem"),
    [
        ("another", NAME, False, "ssl_unknown_authority"),
        ("ours", "other.example", False, "ssl_invalid_hostname"),
        ("ours", NAME, True, "ssl_invalid_certificate"),
        # Of several faults OONI reports the one that Go looks at first: dates, name, authority.
        ("another", "other.example", False, "ssl_invalid_hostname"),
        ("another", NAME, True, "ssl_invalid_certificate"),
        ("another", "other.example", True, "ssl_invalid_certificate"),
    ],
)
def test_a_refused_certificate_is_recorded_with_oonis_reason(lab, authority, name, expired, problem):
    ca = lab.ca if authority == "ours" else trustme.CA()
    certificate = long_ago(ca, name) if expired else ca.issue_cert(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def behave(sock):
        with context.wrap_socket(sock, server_side=True):
            pass

    seen = https(lab, lab.start(behave))
    sent = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    assert chain_of(seen) == [sent]
    handshake = seen.test_keys.tls_handshakes[0]
    assert (handshake.failure, handshake.no_tls_verify, handshake.cipher_suite) == (problem, False, "")
    assert (seen.failure, seen.test_keys.failed_operation) == (problem, "tls_handshake")


def test_each_step_that_fails_has_oonis_name(lab):
    assert measure(f"http://{NAME}/", resolver=()).test_keys.failed_operation == "resolve"
    assert http(lab.start(cut)).test_keys.failed_operation == "http_round_trip"
    assert https(lab, lab.start(cut)).test_keys.failed_operation == "tls_handshake"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert http(port).test_keys.failed_operation == "connect"
    fine = http(lab.start(page())).to_json()["test_keys"]
    assert (fine["failed_operation"], fine["agent"]) == (None, "agent")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (errno.ETIMEDOUT, "timed_out"),
        (errno.EACCES, "permission_denied"),
        (errno.EADDRNOTAVAIL, "address_not_available"),
        (errno.EHOSTUNREACH, "host_unreachable"),
        (errno.ENETUNREACH, "network_unreachable"),
        (errno.ECONNREFUSED, "connection_refused"),
        (errno.ECONNRESET, "connection_reset"),
        (errno.EPIPE, "unknown_failure: broken pipe"),
        (errno.EPERM, "unknown_failure: operation not permitted"),
    ],
)
def test_errno_in_oonis_words(code, problem):
    assert failure.of(OSError(code, "text")) == problem
    assert failure.of(TimeoutError()) == "generic_timeout_error"


def operations(seen):
    return [event.operation for event in seen.test_keys.network_events]


def test_the_lookup_shows_in_the_events(lab):
    where = lab.resolver("127.0.0.1")
    seen = measure(f"http://{NAME}:{lab.start(page())}/", resolver=(where,), timeout=QUICK)
    events = [event for event in seen.test_keys.network_events if event.operation[0] != "b"]
    assert [(event.operation, event.address) for event in events[:6]] == [
        ("resolve_start", None),
        ("dns_round_trip_start", None),
        ("connect", where),
        ("write", where),
        ("read", where),
        ("dns_round_trip_done", None),
    ]
    assert [event.operation for event in events[6:]] == [
        "resolve_done", "connect", "http_transaction_start", "write", "read", "http_transaction_done",
    ]  # fmt: skip
    query = seen.test_keys.queries[0]
    assert events[4].num_bytes == len(b64decode(query.raw_response))
    assert all(event.t0 <= event.t for event in events)


def test_a_resolver_that_is_silent_shows_in_the_events(lab):
    seen = measure(f"http://{NAME}/", resolver=(lab.resolver(answers=0),), timeout=QUICK)
    reads = [event.failure for event in seen.test_keys.network_events if event.operation == "read"]
    assert reads == ["generic_timeout_error"] * 2


def test_what_had_come_is_sampled_every_quarter_of_a_second(lab):
    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n")
        for _ in range(3):
            time.sleep(0.3)
            sock.sendall(b"x" * 1000)

    seen = http(lab.start(behave))
    events = seen.test_keys.network_events
    samples = [event for event in events if event.operation == "bytes_received_cumulative"]
    reads = [event for event in events if event.operation == "read"]
    assert [event.t for event in samples[:-1]] == [0.25, 0.5, 0.75]
    assert [event.num_bytes for event in samples] == [
        sum(event.num_bytes for event in reads if event.t <= sample.t) for sample in samples
    ]
    assert samples[-1].num_bytes > 3000
    assert {(event.address, event.proto) for event in samples} == {(reads[0].address, "tcp")}


def test_more_events_than_fit_are_in_the_samples_alone(lab):
    def behave(sock):
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n")
        for _ in range(700):
            sock.sendall(b"x")
            time.sleep(0.0005)

    seen = http(lab.start(behave), "/bytes/700")
    assert operations(seen).count("read") <= 500
    assert seen.test_keys.network_events[-1].num_bytes > 700


def test_the_options_are_those_of_urlgetter(lab):
    tcp = lab.start(one_tcp_answer)
    assert http(lab.start(page())).options == ("NoFollowRedirects=true",)
    upload = measure(f"put+http://127.0.0.1:{lab.start(page())}/?bytes=9", resolver=(), timeout=QUICK)
    assert upload.options == ("NoFollowRedirects=true", "Method=PUT")
    asked = measure(f"dns+tcp://127.0.0.1:{tcp}/{NAME}", resolver=(), timeout=QUICK)
    assert re.fullmatch(rf"ResolverURL=tcp://127\.0\.0\.1:{tcp}", asked.options[0])
