"""Keys about what is asked for: pages and words of plain HTTP, types of DNS queries, STUN and its like."""

from dataclasses import replace

import pytest

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.cited import our_choice
from testbed.censor.models import MODELS
from testbed.censor.parsers import MORE, NOT
from testbed.censor.parsers.http import url
from testbed.censor.parsers.stun import recognise, recognise_discord, recognise_tcp
from testbed.censor.policy import Match
from testbed.censor.profiles import PROFILES
from testbed.censor.urls import UrlList
from tests.censor.line import Line, names, policy

BINDING = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(range(12))
ANSWER = b"\1\1\0\x0c\x21\x12\xa4\x42" + bytes(12) + b"\0\x20\0\x08" + bytes(8)
DISCORD = b"\0\1\0\x46" + b"\x01\x02\x03\x04" + bytes(66)


def get(target: str, host: str = "a.com", more: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def query(name: str, qtype: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0" + qtype.to_bytes(2, "big") + b"\0\1"


def fired(
    match: Match, payload: bytes, *, port: int = 80, udp: bool = False, profile: str = "leg-active"
) -> bool:
    line = Line(policy(match, SilentDrop(), profile), dport=port, udp=udp)
    if not udp:
        line.handshake()
    return line.L(payload=payload).fired


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (get("/page"), "a.com/page"),
        (get("/Page?x=1", "A.com:80"), "a.com/Page?x=1"),
        (get("/", "a.com:8080"), "a.com:8080/"),
        (get("http://a.com/page"), "a.com/page"),
        (get("/page").replace(b"Host:", b"host:"), NOT),
        (get("/page")[:30], MORE),
        (b"\x16\x03\x01", NOT),
    ],
)
def test_the_url_of_a_request(payload: bytes, expected: object) -> None:
    assert url(payload) == expected


@pytest.mark.parametrize(
    ("pattern", "seen", "unseen"),
    [
        ("a.com/page", "/page", "/page2"),
        ("a.com/dir/*", "/dir/x", "/dir"),
        ("*/last", "/x/last", "/last/x"),
        ("*casino*", "/casino/1", "/cas/ino"),
    ],
)
def test_a_page_and_not_its_neighbours(pattern: str, seen: str, unseen: str) -> None:
    match = Match(http_url=UrlList((pattern,)))
    assert fired(match, get(seen))
    assert not fired(match, get(unseen))


def test_the_same_page_of_another_host_passes() -> None:
    match = Match(http_url=UrlList(("a.com/page",)))
    assert not fired(match, get("/page", "b.com"))
    assert not fired(match, get("/page").replace(b"Host: ", b"Host:  "))  # as `http.host`: hidden


def test_each_request_of_a_connection_is_looked_at() -> None:
    line = Line(policy(Match(http_url=UrlList(("a.com/bad",))), SilentDrop(), "leg-active"), dport=80)
    line.handshake()
    assert [line.L(payload=get(target)).fired for target in ("/", "/good", "/bad")] == [False, False, True]


@pytest.mark.parametrize(
    ("word", "payload", "expected"),
    [
        ("casino", get("/x", more="Referer: http://CASINO.com/\r\n"), True),
        ("casino", get("/Casino"), True),
        ("casino", get("/x") + b"casino", False),  # in the body
        ("казино", get("/%D0%9A%D0%B0%D0%B7%D0%B8%D0%BD%D0%BE"), True),
        ("казино", "GET /КАЗИНО HTTP/1.1\r\nHost: a.com\r\n\r\n".encode(), True),
        ("casino", get("/casino").replace(b"Host:", b"host:"), True),  # no header needs to be understood
        ("casino", b"\x16\x03\x01casino", False),
    ],
)
def test_a_word_in_a_request(word: str, payload: bytes, expected: bool) -> None:
    assert fired(Match(http_keyword=(word,)), payload) is expected


@pytest.mark.parametrize("model", MODELS)
def test_a_page_and_a_word_under_every_model(model: str) -> None:
    for match in (Match(http_url=UrlList(("a.com/page",))), Match(http_keyword=("page",))):
        for target, expected in (("/page", True), ("/other", False)):
            profile = replace(PROFILES["leg-active"], models=our_choice(((model, 1.0),)))
            line = Line(policy(match, SilentDrop(), profile), dport=80)
            line.handshake()
            assert line.L(payload=get(target)).fired is expected


@pytest.mark.parametrize(("asked", "expected"), [(1, True), (28, False), (65, False)])
def test_one_type_of_query_only(asked: int, expected: bool) -> None:
    match = Match(dns_qname=names("a.com"), dns_qtype=("A",))
    assert fired(match, query("a.com", asked), port=53, udp=True, profile="t22") is expected
    assert fired(Match(dns_qtype=("A",)), query("b.com", asked), port=53, udp=True, profile="t22") is expected
    assert not fired(match, query("b.com", asked), port=53, udp=True, profile="t22")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (BINDING, "initiation"),
        (ANSWER, "response"),
        (BINDING[:12], MORE),
        (BINDING + b"x", NOT),
        (b"\x80" + BINDING[1:], NOT),  # as RTP begins
        (BINDING.replace(b"\x42", b"\x43"), NOT),  # no magic cookie
        (b"\0\1\0\x02" + BINDING[4:] + b"ab", NOT),  # attributes are padded
    ],
)
def test_stun(payload: bytes, expected: object) -> None:
    found = recognise(payload)
    assert getattr(found, "kind", found) == expected


def test_stun_over_tcp_may_be_followed_by_more() -> None:
    assert recognise_tcp(BINDING + BINDING).kind == "initiation"
    assert recognise_tcp(b"") is MORE


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (DISCORD, "initiation"),
        (b"\0\2" + DISCORD[2:8] + b"192.0.2.1".ljust(66, b"\0"), "response"),
        (DISCORD + b"\0", NOT),
        (DISCORD[:-1] + b"\1", NOT),
    ],
)
def test_discord(payload: bytes, expected: object) -> None:
    found = recognise_discord(payload)
    assert getattr(found, "kind", found) == expected


@pytest.mark.parametrize(("protocol", "payload"), [("stun", BINDING), ("discord", DISCORD)])
def test_queries_for_ones_own_address_on_any_port(protocol: str, payload: bytes) -> None:
    for port in (3478, 19302, 50004):
        assert fired(Match(protocol=(protocol,)), payload, port=port, udp=True, profile="t24")
        assert not fired(Match(protocol=(protocol,)), payload[:-1], port=port, udp=True, profile="t24")
