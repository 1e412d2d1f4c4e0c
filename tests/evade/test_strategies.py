"""In which pieces a ClientHello leaves, and that nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.evade.hello import Hello
from testbed.evade.resolverurl import AskedResolver
from testbed.evade.strategy import parse_plan

from .hellos import hello

HELLO = hello()
REQUEST = b"GET / HTTP/1.1\r\nHost: twitter.com\r\n\r\n"


def pieces(first: bytes, *texts: str) -> tuple[bytes, ...]:
    return tuple(one.data for one in parse_plan(texts).flight(first))


def messages(record_bytes: bytes) -> bytes:
    """The handshake bytes in records, put together as a server does."""
    found = b""
    while record_bytes:
        assert record_bytes[0] == 0x16
        end = 5 + int.from_bytes(record_bytes[3:5], "big")
        found, record_bytes = found + record_bytes[5:end], record_bytes[end:]
    return found


def test_the_name_is_found():
    read = Hello.read(HELLO)
    assert read is not None
    assert read.name is not None
    begin, end = read.name
    assert read.body[begin:end] == b"twitter.com"


def test_without_a_strategy_all_leaves_as_it_came():
    assert pieces(HELLO) == (HELLO,)


@pytest.mark.parametrize("text", ["segments", "segments:name", "segments:3", "segments:100"])
def test_segments_are_two_and_hold_the_same(text):
    found = pieces(HELLO, text)
    assert (len(found), b"".join(found)) == (2, HELLO)


def test_no_segment_holds_the_name():
    assert [b"twitter.com" in piece for piece in pieces(HELLO, "segments")] == [False, False]
    assert b"twitter.com" in HELLO


@pytest.mark.parametrize("text", ["records", "records:name", "records:1"])
def test_records_are_two_in_one_piece_and_hold_the_same_message(text):
    (found,) = pieces(HELLO, text)
    assert messages(found) == messages(HELLO)
    assert len(found) == len(HELLO) + 5
    assert (b"twitter.com" in found) is (text == "records:1")


def test_another_record_comes_before_in_the_same_piece():
    assert pieces(HELLO, "before") == (bytes.fromhex("140303000101") + HELLO,)


def test_strategies_one_after_another():
    one, two = pieces(HELLO, "records", "segments:3")
    assert (len(one), messages(one + two)) == (3, messages(HELLO))


@pytest.mark.parametrize("text", ["records", "before"])
def test_what_is_no_hello_stays(text):
    assert pieces(REQUEST, text) == (REQUEST,)


def test_segments_cut_any_request():
    assert b"".join(found := pieces(REQUEST, "segments")) == REQUEST
    assert len(found) == 2


@given(st.binary(max_size=600), st.sampled_from(["segments", "records", "before", "records:5"]))
def test_junk_after_the_beginning_of_a_hello(junk, text):
    found = pieces(b"\x16\x03\x01\x02\x00\x01" + junk, text)
    assert b"".join(found)


@given(st.integers(0, len(HELLO) - 1), st.sampled_from(["segments", "records", "before"]))
def test_a_hello_that_is_cut_short(size, text):
    assert HELLO[:size] in b"".join(pieces(HELLO[:size], text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("segment", "there is no strategy 'segment'; did you mean 'segments'?"),
        ("segments:0", "'segments:0' cannot be; write numbers of bytes, name, name+1, or every=20"),
        ("records:x", "'records:x' cannot be; write numbers of bytes, name, name+1, or every=20"),
        ("dns:ftp://x", "'dns:ftp://x' cannot be; write dns:tcp://8.8.8.8, dns:tls://dns.quad9.net or dns"),
        ("dns:tcp://[", "'dns:tcp://[' cannot be; write dns:tcp://8.8.8.8"),
        ("before:now", "'before:now' cannot be; write it without a value"),
    ],
)
def test_a_strategy_that_is_none(text, said):
    with pytest.raises(InputError) as raised:
        parse_plan([text])
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("udp://9.9.9.9", "9.9.9.9", 53, "/dns-query"),
        ("tcp://[2001:db8::1]:54", "2001:db8::1", 54, "/dns-query"),
        ("tls://dns.quad9.net", "dns.quad9.net", 853, "/dns-query"),
        ("", "dns.quad9.net", 853, "/dns-query"),
        ("https://dns.google/resolve", "dns.google", 443, "/resolve"),
    ],
)
def test_another_resolver_changes_no_packet(url, host, port, path):
    plan = parse_plan([f"dns:{url}", "segments:3", "disorder"])
    assert plan.resolver == AskedResolver(url.partition(":")[0] or "tls", host, port, path)
    assert plan.flight(HELLO) == parse_plan(["segments:3", "disorder"]).flight(HELLO)
    assert (str(plan), plan.forged) == (f"dns:{url} segments:3 disorder".replace(": ", " "), "disorder")


def test_without_it_the_system_s_resolver_is_asked():
    assert parse_plan(["segments:3"]).resolver is None
