"""The probe by another way: through proxies, with other resolvers, with another hello."""

import ssl
import struct

import pytest

from testbed.measurement.passage import Passage

from .conftest import NAME, dns_answer, measure, page, read_head

QUICK = 0.6  # s without an answer that count as a time-out: loopback needs no more


def go(lab, passage: Passage, port: int = 443, **options):
    given = {"timeout": QUICK, "ca_file": lab.ca_file, "resolver": (lab.resolver("127.0.0.1"),), **options}
    return measure(f"https://{NAME}:{port}/", passage=passage, **given)


def socks(answer: bytes, inside=None, heard: list[bytes] | None = None):
    """A SOCKS 5 server that answers a request with this reply and then is what `inside` is."""

    def behave(sock):
        assert sock.recv(3) == b"\x05\x01\x00"
        sock.sendall(b"\x05\x00")
        (heard if heard is not None else []).append(sock.recv(300))
        sock.sendall(answer)
        if inside:
            inside(sock)

    return behave


def http_proxy(status: str, inside=None, heard: list[bytes] | None = None):
    def behave(sock):
        (heard if heard is not None else []).append(read_head(sock))
        sock.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if inside:
            inside(sock)

    return behave


GRANTED = b"\x05\x00\x00\x01" + bytes(6)


def test_through_socks_the_proxy_resolves(lab):
    heard: list[bytes] = []
    port = lab.start(socks(GRANTED, lab.tls(page()), heard))
    seen = go(lab, Passage(proxy=f"socks5://127.0.0.1:{port}"), port=8443)
    assert seen.failure is None
    assert heard == [b"\x05\x01\x00\x03" + bytes([len(NAME)]) + NAME.encode() + (8443).to_bytes(2, "big")]
    assert seen.test_keys.queries == ()


def test_through_http_connect(lab):
    heard: list[bytes] = []
    port = lab.start(http_proxy("200 OK", lab.tls(page()), heard))
    assert go(lab, Passage(proxy=f"http://127.0.0.1:{port}"), port=8443).failure is None
    assert heard[0].startswith(f"CONNECT {NAME}:8443 HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("server", "failure"),
    [
        (socks(b"\x05\x05\x00\x01" + bytes(6)), "connection_refused"),
        (socks(b"\x05\x04\x00\x01" + bytes(6)), "host_unreachable"),
        (socks(b"\x05\x06\x00\x01" + bytes(6)), "generic_timeout_error"),
        (
            socks(b"\x05\x01\x00\x01" + bytes(6)),
            "unknown_failure: the proxy cannot connect (reply 1 of RFC 1928)",
        ),
        (socks(b"\x05"), "eof_error"),
    ],
)
def test_what_a_socks_proxy_says(lab, server, failure):
    seen = go(lab, Passage(proxy=f"socks5://127.0.0.1:{lab.start(server)}"))
    assert (seen.failure, seen.test_keys.failed_step) == (failure, "tcp")


def test_what_an_http_proxy_says(lab):
    port = lab.start(http_proxy("502 Bad Gateway"))
    seen = go(lab, Passage(proxy=f"http://127.0.0.1:{port}"))
    assert seen.failure == "unknown_failure: the proxy answers '502 Bad Gateway'"


def by_tls(sock):
    answer = dns_answer(sock.recv(2000)[2:], ("127.0.0.1",), 0)
    sock.sendall(struct.pack("!H", len(answer)) + answer)


def by_https(status: str = "200 OK"):
    def behave(sock):
        head, _, body = read_head(sock).partition(b"\r\n\r\n")
        assert head.startswith(b"POST /ask HTTP/1.1")
        answer = dns_answer(body or sock.recv(2000), ("127.0.0.1",), 0)
        length = f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\n\r\n"
        sock.sendall(length.encode() + answer)

    return behave


@pytest.mark.parametrize(
    ("form", "server", "engine"), [("tls://{}:{}", by_tls, "dot"), ("https://{}:{}/ask", by_https(), "doh")]
)
def test_another_resolver_over_tls(lab, form, server, engine):
    at = lab.start(lab.tls(server, name="dns.example"))
    seen = go(lab, Passage(resolver=form.format("dns.example", at)), port=lab.start(lab.tls(page())))
    assert seen.failure is None
    assert [(one.engine, one.hostname) for one in seen.test_keys.queries] == [
        ("udp", "dns.example"),
        (engine, NAME),
    ]


def test_another_resolver_over_udp_and_tcp(lab):
    wrong = (lab.resolver("127.0.0.9"),)
    site = lab.start(lab.tls(page()))
    good = go(lab, Passage(resolver=f"udp://{lab.resolver('127.0.0.1')}"), port=site, resolver=wrong)
    tcp = lab.start(by_tls)
    also = go(lab, Passage(resolver=f"tcp://127.0.0.1:{tcp}"), port=site, resolver=wrong)
    assert (good.failure, also.failure) == (None, None)
    assert go(lab, Passage(), port=site, resolver=wrong).failure == "connection_refused"


def test_a_resolver_that_refuses_or_has_another_certificate(lab):
    refusing = lab.start(lab.tls(by_https("403 Forbidden"), name="dns.example"))
    seen = go(lab, Passage(resolver=f"https://dns.example:{refusing}/ask"))
    assert seen.failure == "unknown_failure: the resolver answers with status 403"
    other = lab.start(lab.tls(by_tls, name="other.example"))
    assert go(lab, Passage(resolver=f"tls://dns.example:{other}")).failure == "ssl_invalid_hostname"


@pytest.mark.parametrize(("hello", "longer"), [("", False), ("padded", True)])
def test_a_padded_hello_is_longer_than_a_segment(lab, hello, longer):
    sizes = []

    def behave(sock):
        head = sock.recv(5)
        sizes.append(5 + struct.unpack("!H", head[3:5])[0])

    go(lab, Passage(hello=hello), port=lab.start(behave))
    assert (sizes[0] > 1460) is longer


def test_a_padded_hello_is_understood(lab):
    assert go(lab, Passage(hello="padded"), port=lab.start(lab.tls(page()))).failure is None


def test_another_name_in_the_hello(lab):
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lab.ca.issue_cert("listed.example").configure_cert(context)
    context.sni_callback = lambda _sock, name, _context: names.append(name)

    def behave(sock):
        with context.wrap_socket(sock, server_side=True) as secure:
            page()(secure)

    seen = go(lab, Passage(server_name="listed.example"), port=lab.start(behave))
    assert (seen.failure, names) == (None, ["listed.example"])
    assert dict(seen.test_keys.requests[0].request.headers_list)["Host"].startswith(NAME)
