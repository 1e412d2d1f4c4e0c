"""Every kind of DNS client against a public resolver and an operator's own, in a world."""

import base64
import json
import os
import socket
import subprocess
import time

import dns.message
import dns.query
import dns.rcode
import pytest

from testbed.internet.dns import Zone, answer, serve_operator_resolver
from testbed.world.children import Children
from tests.internet.emulated import GOOGLE, TWITTER, VK, WORLD
from tests.internet.test_sites import curl

pytestmark = pytest.mark.world


def dig(vantage, *arguments, resolver="8.8.8.8"):
    line = ["dig", f"@{resolver}", "+time=5", "+tries=1", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=20).stdout


@pytest.mark.parametrize("transport", ["+notcp", "+tcp", "+tls", "+https", "+https-get"])
@pytest.mark.parametrize("resolver", [*GOOGLE.ipv4, *GOOGLE.ipv6])
def test_dig_by_every_transport(far_side, transport, resolver):
    found = far_side.call(dig, transport, "+short", "twitter.com", "A", "vk.com", "AAAA", resolver=resolver)
    assert found.split() == [TWITTER.ipv4, VK.ipv6]


@pytest.mark.parametrize("transport", ["+tls", "+https"])
def test_dig_verifies_name_and_authority(far_side, transport):
    def looked_up(name, file):
        return far_side.call(_dig_verifying, transport, name, file)

    assert looked_up("dns.google", None) == TWITTER.ipv4
    assert looked_up("dns.other", None) != TWITTER.ipv4
    assert looked_up("dns.google", "/etc/ssl/certs/ca-certificates.crt") != TWITTER.ipv4


def _dig_verifying(vantage, transport, name, file):
    trust = [f"+tls-ca={file or vantage.root}", f"+tls-hostname={name}"]
    return dig(vantage, transport, *trust, "+short", "twitter.com").strip()


def test_nxdomain(far_side):
    said = far_side.call(dig, "nosuch.twitter.com")
    assert "status: NXDOMAIN" in said
    assert "SOA" in said


def doh(vantage, *arguments, query=None, path="/dns-query"):
    url = f"https://dns.google{path}"
    return curl(vantage, *arguments, url, address="8.8.8.8", body=query)[1:3]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_dns_over_https_by_get_and_post(far_side, version):
    query = dns.message.make_query("twitter.com", "A").to_wire()
    get = base64.urlsafe_b64encode(query).rstrip(b"=").decode()
    kind = ["-H", "Content-Type: application/dns-message", "--data-binary", "@-"]
    by_get, _ = far_side.call(doh, version, path=f"/dns-query?dns={get}")
    by_post, _ = far_side.call(doh, version, *kind, query=query)
    assert by_get == by_post == answer(query, Zone.from_world(WORLD))


OLDER = "application/dns-udpwireformat"


def test_dns_over_https_takes_the_media_type_of_the_drafts(far_side):
    """green-tunnel 1.7.4 posts it; the reply has the type of the query."""
    query = dns.message.make_query("twitter.com", "A").to_wire()
    arguments = ["-D", "-", "-H", f"Content-Type: {OLDER}", "--data-binary", "@-"]
    page, numbers = far_side.call(doh, "--http1.1", *arguments, query=query)
    headers, _, reply = page.partition(b"\r\n\r\n")
    assert (numbers[1], reply) == ("200", answer(query, Zone.from_world(WORLD)))
    assert f"content-type: {OLDER}" in headers.decode()


@pytest.mark.parametrize("path", ["/resolve?name=twitter.com", "/dns-query?name=twitter.com&type=1"])
def test_dns_over_https_answers_as_json(far_side, path):
    page, numbers = far_side.call(doh, "-H", "Accept: application/dns-json", path=path)
    assert numbers[1] == "200"
    assert json.loads(page) == {
        "Status": 0, "TC": False, "RD": True, "RA": True, "AD": False, "CD": False,
        "Question": [{"name": "twitter.com.", "type": 1}],
        "Answer": [{"name": "twitter.com.", "type": 1, "TTL": 300, "data": TWITTER.ipv4}],
    }  # fmt: skip


def test_json_of_a_name_that_does_not_exist(far_side):
    page, _ = far_side.call(doh, path="/resolve?name=nosuch.com&type=AAAA")
    found = json.loads(page)
    assert (found["Status"], "Answer" in found) == (3, False)
    assert found["Authority"][0]["type"] == 6  # SOA


@pytest.mark.parametrize(
    ("arguments", "path", "body", "status"),
    [
        ([], "/resolve", None, "400"),
        ([], "/resolve?name=vk.com&type=NOSUCH", None, "400"),
        ([], f"/resolve?name={'a' * 64}.com", None, "400"),
        (["-X", "POST"], "/resolve?name=vk.com", None, "405"),
        ([], "/dns-query?ct=text/plain&dns=AAAA", None, "415"),
        ([], "/dns-query", None, "400"),
        ([], "/dns-query?dns=%%%", None, "400"),
        (["-X", "PUT"], "/dns-query", None, "405"),
        (["--data-binary", "@-"], "/dns-query", bytes(40), "415"),
        (
            ["-H", "Content-Type: application/dns-message", "--data-binary", "@-"],
            "/dns-query",
            bytes(3),
            "400",
        ),
        (
            ["-H", "Content-Type: application/dns-message", "--data-binary", "@-"],
            "/dns-query",
            bytes(99999),
            "413",
        ),
        ([], "/none", None, "404"),
        ([], "/", None, "200"),
    ],
)
def test_dns_over_https_refuses_clearly(far_side, arguments, path, body, status):
    page, numbers = far_side.call(doh, *arguments, query=body, path=path)
    assert numbers[1] == status
    assert page


def pipelined(vantage):
    """Three queries in one write, cut in odd places, and three replies in order."""
    queries = [dns.message.make_query(name, "A") for name in ("twitter.com", "nosuch.com", "vk.com")]
    wires = [query.to_wire() for query in queries]
    stream = b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires)
    with socket.create_connection(("8.8.8.8", 53), timeout=10) as connection:
        for part in (stream[:1], stream[1:40], stream[40:]):
            connection.sendall(part)
            time.sleep(0.01)
        replies = [dns.query.receive_tcp(connection, time.time() + 10)[0] for _ in queries]
    return [(query.is_response(reply), reply.rcode()) for query, reply in zip(queries, replies, strict=True)]


def test_tcp_is_pipelined(far_side):
    yes, no = (True, dns.rcode.NOERROR), (True, dns.rcode.NXDOMAIN)
    assert far_side.call(pipelined) == [yes, no, yes]


def survives_junk(vantage):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for length in (0, 1, 11, 12, 100, 1400, 60000):
            any_socket.sendto(os.urandom(length), ("8.8.8.8", 53))
    for length in (0, 1, 12, 65535):
        with socket.create_connection(("8.8.8.8", 53), timeout=10) as connection:
            connection.sendall(length.to_bytes(2, "big") + os.urandom(min(length, 500)))
    return dig(vantage, "+short", "vk.com").strip()


def test_junk_does_not_stop_it(far_side):
    assert far_side.call(survives_junk) == VK.ipv4


def with_operator_resolver(vantage, respond, use):
    """`use(vantage)` while an operator's resolver answers by `respond`: (value, exit status, time to end)."""
    addresses = ["127.0.0.53", "::1"]
    with Children() as children:
        children.spawn("resolver", lambda ready: serve_operator_resolver(addresses, respond, ready))
        children.wait_ready()
        value = use(vantage)
        began = time.monotonic()
        status = children.stop()["resolver"].code
        took = time.monotonic() - began
    return value, status, took


def honest(query):
    return answer(query, Zone.from_world(WORLD))


def lying(query):
    return answer(query, Zone({"twitter.com": ("10.1.1.1", "fd00::1")}))


def broken(query):
    raise RuntimeError("a bug")


def both_ways(vantage):
    short = ("+short", "+time=1", "twitter.com", "A", "twitter.com", "AAAA")
    found = [dig(vantage, *short, resolver=resolver) for resolver in ("127.0.0.53", "::1")]
    found.append(dig(vantage, "+tcp", *short, resolver="127.0.0.53"))
    return [[line for line in said.split("\n") if line and not line.startswith(";")] for said in found]


@pytest.mark.parametrize(
    ("respond", "seen"),
    [(honest, [TWITTER.ipv4, TWITTER.ipv6]), (lying, ["10.1.1.1", "fd00::1"])],
)
def test_an_operators_resolver_says_what_it_is_told(far_side, respond, seen):
    value, status, took = far_side.call(with_operator_resolver, respond, both_ways)
    assert value == [seen] * 3
    assert status == 0
    assert took < 0.5


def silent_about_twitter(query):
    return None if b"twitter" in query else honest(query)


def in_one_connection(vantage):
    """The names of the replies to two queries, by UDP and by TCP; a reply takes 1 ms."""
    queries = [dns.message.make_query(name, "A").to_wire() for name in ("twitter.com", "vk.com")]
    names = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.connect(("127.0.0.53", 53))
            connection.settimeout(10)
            for query in queries:
                connection.send(query if kind == socket.SOCK_DGRAM else len(query).to_bytes(2, "big") + query)
            reply = connection.recv(4096)
            if kind == socket.SOCK_STREAM:  # the second reply may follow directly
                reply = reply[2 : 2 + int.from_bytes(reply[:2], "big")]
            names.append(dns.message.from_wire(reply).question[0].name)
    return [name.to_text() for name in names]


def test_an_operators_resolver_can_be_silent(far_side):
    assert (
        far_side.call(with_operator_resolver, silent_about_twitter, in_one_connection)[0] == ["vk.com."] * 2
    )
    assert far_side.call(with_operator_resolver, honest, in_one_connection)[0] == ["twitter.com."] * 2


def ask_once(vantage):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        any_socket.sendto(dns.message.make_query("twitter.com", "A").to_wire(), ("127.0.0.53", 53))
    time.sleep(0.2)


def test_a_bug_in_an_answer_ends_the_resolver(far_side):
    assert far_side.call(with_operator_resolver, broken, ask_once)[1] == 1
