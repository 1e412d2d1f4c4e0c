"""Servers that do what ordinary ones do not, each with its twin: twitter.com, which is ordinary."""

import asyncio
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network

import dns.message
import pytest

from testbed.internet.behaviour import behaving
from testbed.internet.hosts import surroundings
from testbed.internet.pages import host_pages, ordinary_size
from testbed.internet.zone import Zone, answer
from testbed.model import Behaviour, Host, Operator, World
from tests.internet.emulated import FAULTS, ODD, TWITTER, WORLD
from tests.internet.test_http3 import ask
from tests.internet.test_sites import curl

world = pytest.mark.world
HANDSHAKE = b"\x16"


def get(far_side, site, *arguments, path="/", body=None):
    """(curl's exit status, page, status line, headers)."""
    url = f"https://{site.name}{path}"
    code, page, numbers, _ = far_side.call(curl, "-i", "--http1.1", *arguments, url, site=site, body=body)
    head, _, rest = page.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return code, rest, int(numbers[1]), headers


@world
def test_redirect(far_side):
    _, _, status, headers = get(far_side, ODD["redirect"])
    assert (status, headers["location"]) == (302, "https://twitter.com/elsewhere")
    _, _, status, headers = get(far_side, TWITTER)
    assert (status, "location" in headers) == (200, False)


@world
def test_a_chosen_status_title_and_size(far_side):
    _, page, status, _ = get(far_side, ODD["gone"])
    assert (status, len(page), b"<title>Unavailable</title>" in page) == (451, 900, True)
    _, page, status, _ = get(far_side, TWITTER)
    assert (status, len(page), b"<title>twitter.com</title>" in page) == (
        200,
        ordinary_size("twitter.com"),
        True,
    )


def test_pages_have_sizes_of_their_own():
    sizes = {ordinary_size(name) for name in ("twitter.com", "vk.com", "www.bbc.com", "meduza.io")}
    assert len(sizes) == 4
    assert all(24_000 <= size < 56_000 for size in sizes)


@world
def test_headers_are_added_replaced_and_removed(far_side):
    ordinary = get(far_side, TWITTER)[3]
    assert ordinary["server"] == "nginx"
    assert {"x-request-id", "referrer-policy"} <= ordinary.keys()
    headers = get(far_side, ODD["headers"])[3]
    assert headers["x-cache"] == "HIT"
    assert "server" not in headers


@world
def test_further_pages(far_side):
    found = {
        path: get(far_side, ODD["further"], path=path) for path in ("/status", "/robots.txt", "/", "/none")
    }
    assert {path: status for path, (_, _, status, _) in found.items()} == {
        "/status": 200, "/robots.txt": 200, "/": 200, "/none": 404,
    }  # fmt: skip
    assert [found[path][3]["content-type"] for path in ("/status", "/robots.txt")] == [
        "application/json", "text/plain; charset=utf-8",
    ]  # fmt: skip
    assert get(far_side, TWITTER, path="/status")[2] == 404


@world
def test_behaviours_hold_over_http3(far_side):
    for name, status in (("redirect", "302"), ("gone", "451")):
        site = ODD[name]
        headers, _ = far_side.call(ask, "/", address=site.ipv4, name=site.name)
        assert headers[":status"] == status


@world
def test_an_early_answer_to_an_upload(far_side):
    body = bytes(20_000_000)
    upload = ("-X", "PUT", "--data-binary", "@-", "-w", "\n%{http_version} %{response_code} %{size_upload}")
    _, _, status, _ = get(far_side, ODD["early"], *upload, path="/upload", body=body)
    assert status == 413
    early, whole = (
        int(far_side.call(curl, *upload, f"https://{site.name}/upload", site=site, body=body)[2][2])
        for site in (ODD["early"], TWITTER)
    )
    assert early < whole == len(body)


def hello_after(vantage, site, *pieces):
    """What answers a ClientHello behind these bytes, sent piece by piece: the type of a record, if any."""
    ours = ssl.create_default_context(cafile=str(vantage.root))
    took, made = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(took, made, server_hostname=site.name)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with socket.create_connection((site.ipv4, 443), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.05)
        sock.sendall(made.read())
        return sock.recv(1)


@world
@pytest.mark.parametrize("pieces", [(b"\x14\3\3\0\1\1",), (b"\x14\3", b"\3\0\1\1")], ids=["whole", "cut"])
def test_a_change_cipher_spec_before_the_hello(far_side, pieces):
    """OpenSSL ends the connection: RFC 8446 section 5 allows the record only after the first hello."""
    assert far_side.call(hello_after, ODD["skips"], *pieces) == HANDSHAKE
    assert far_side.call(hello_after, TWITTER, *pieces) == b""


@world
def test_the_hello_alone_is_answered_by_both(far_side):
    assert {far_side.call(hello_after, site) for site in (ODD["skips"], TWITTER)} == {HANDSHAKE}


def timed(vantage, site, path):
    began = time.monotonic()
    found = curl(vantage, f"https://{site.name}{path}", site=site)
    return time.monotonic() - began, len(found[1])


@world
def test_wait_and_pace(far_side):
    """0.5 s of waiting, and 100,000 bytes at 800 kbit/s."""
    took, size = far_side.call(timed, ODD["slow"], "/bytes/100000")
    assert size == 100_000
    assert 1.4 < took < 4
    ordinary, _ = far_side.call(timed, TWITTER, "/bytes/100000")
    assert ordinary < 1


def first_packets(vantage, site, data):
    """Sizes of the segments in which a client's first data reach a server, by a packet socket."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client,
    ):
        wire.bind(("lo", 3))
        wire.settimeout(3)
        client.connect((site.ipv4, 80))
        client.sendall(data)
        ours, sizes = client.getsockname()[1], []
        while sum(sizes) < len(data):
            packet, about = wire.recvfrom(65535)
            header = (packet[0] & 15) * 4
            source = int.from_bytes(packet[header : header + 2], "big")
            if packet[9] != 6 or source != ours or about[2] == socket.PACKET_OUTGOING:
                continue
            length = int.from_bytes(packet[2:4], "big") - header - (packet[header + 12] >> 4) * 4
            sizes += [length] if length else []
        return sizes


REQUEST = b"GET / HTTP/1.1\r\nHost: x.example\r\nX-Pad: %b\r\n\r\n" % (b"a" * 400)


@world
def test_a_small_window_cuts_what_a_client_sends_first(far_side):
    sizes = far_side.call(first_packets, ODD["window"], REQUEST)
    assert sizes[0] == 100
    assert far_side.call(first_packets, TWITTER, REQUEST) == [len(REQUEST)]


def segment_size(vantage, site):
    with socket.create_connection((site.ipv4, 443), timeout=5) as client:
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@world
def test_a_small_segment_size_cuts_all_of_it(far_side):
    assert far_side.call(segment_size, ODD["mss"]) <= 88
    assert far_side.call(segment_size, TWITTER) > 500


def plain_on_443(vantage, data):
    with socket.create_connection((TWITTER.ipv4, 443), timeout=5) as client:
        client.sendall(data)
        return client.recv(4096)


@world
def test_http_without_tls_on_port_443(far_side):
    said = far_side.call(plain_on_443, b"GET / HTTP/1.1\r\nHost: twitter.com\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"plain HTTP request was sent to HTTPS port" in said
    assert not far_side.call(plain_on_443, b"EHLO there\r\n\r\n").startswith(b"HTTP")


def verified(vantage, site, *more):
    line = ["openssl", "s_client", "-connect", f"{site.ipv4}:443", "-servername", site.name, *more]
    line += ["-CAfile", str(vantage.root), "-verify_hostname", site.name, "-brief"]
    return subprocess.run(line, input="", text=True, capture_output=True, timeout=20).stderr


@world
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("self-signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("wrong-name", "hostname mismatch"),
        ("unknown-authority", "unable to get local issuer certificate"),
        ("incomplete", "unable to verify the first certificate"),
    ],
)
def test_faults_of_certificates(far_side, fault, reason):
    assert reason in far_side.call(verified, ODD[fault])
    assert "Verification: OK" in far_side.call(verified, TWITTER)


def shown(vantage, site):
    line = ["openssl", "s_client", "-connect", f"{site.ipv4}:443", "-servername", site.name, "-showcerts"]
    return subprocess.run(line, input="", text=True, capture_output=True, timeout=20).stdout.count(
        "BEGIN CERT"
    )


@world
def test_an_incomplete_chain_lacks_the_intermediate(far_side):
    assert far_side.call(shown, ODD["incomplete"]) == 1
    assert far_side.call(shown, ODD["unknown-authority"]) == far_side.call(shown, TWITTER) == 2


def test_every_fault_is_tried():
    assert set(FAULTS) < ODD.keys()


def https_records(name):
    query = dns.message.make_query(name, "HTTPS").to_wire()
    reply = dns.message.from_wire(answer(query, Zone.from_world(WORLD)))
    return [record.to_text() for rrset in reply.answer for record in rrset]


def test_https_records():
    site = ODD["published"]
    said = f'1 . alpn="h3,h2" ipv4hint="{site.ipv4}" ipv6hint="{site.ipv6}"'
    assert https_records(site.name) == [said]
    assert https_records("twitter.com") == []


def test_an_https_record_may_have_an_ech_key():
    host = Host("ech", ("ech.example",), ("198.18.9.1",), ("2001:db8:9::1",), 1, ech="AAT+DQAA")
    query = dns.message.make_query("ech.example", "HTTPS").to_wire()
    zone = Zone.from_world(World("w", (), (), (), hosts=(host,)))
    (record,) = dns.message.from_wire(answer(query, zone)).answer[0]
    assert record.to_text() == '1 . ipv4hint="198.18.9.1" ech="AAT+DQAA" ipv6hint="2001:db8:9::1"'


def statuses(behaviour, *clients):
    """The status that each client address gets."""
    host = Host("s", ("s.example",), ("198.18.0.9",), ("2001:db8::9",), 1, behaviour=behaviour)
    operator = Operator(
        "mts", "MTS", 8359, "RU", "mobile", IPv4Network("91.76.0.0/16"), IPv6Network("2a02:28::/32")
    )
    other = Host("vpn", (), ("95.216.1.1",), ("2a01:4f9:0:1::1",), 24940, "FI")
    country_of = surroundings(World("w", (operator,), (), (), hosts=(other,))).country_of
    pages = behaving(host_pages(host, host.ipv4), host, country_of)
    found = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        found.extend([message["status"]] if "status" in message else [])

    for client in clients:
        scope = {"type": "http", "path": "/", "method": "GET", "http_version": "1.1", "client": (client, 1)}
        asyncio.run(pages(scope, receive, send))
    return found


def test_a_server_refuses_clients_by_their_country():
    clients = ("91.76.0.100", "2a02:28::100", "95.216.1.1", "95.216.0.100")
    assert statuses(Behaviour(refuses=("RU",)), *clients) == [403, 403, 200, 200]
    assert statuses(Behaviour(refuses=("FI",)), *clients) == [200, 200, 403, 200]
    assert statuses(Behaviour(), *clients) == [200, 200, 200, 200]
