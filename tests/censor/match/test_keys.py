"""Match keys on the core: what decides each, what one covers, and keys that the core does not know."""

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar

import pytest

from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.inspect import Kind
from testbed.censor.match import KEYS, CompiledRule, ContentKey, HeaderKey, Match
from testbed.censor.match.beginning import EarlySizes, SizeRange
from testbed.censor.match.quic import QuicForm
from testbed.censor.models import MODELS
from testbed.censor.profiles import PROFILES
from testbed.censor.urls import UrlList
from tests.censor.line import Line, hello, names, policy

VALUES = {  # a value of every built-in key
    "dns.qname": names("a.com"),
    "dns.qtype": ("A",),
    "http.host": names("a.com"),
    "http.keyword": ("casino",),
    "http.url": UrlList(("a.com/page",)),
    "protocol": ("ssh",),
    "quic": QuicForm(),
    "quic.sni": names("a.com"),
    "quic.unreadable": True,
    "tls.certificate": names("a.com"),
    "tls.sni": names("a.com"),
    "ech": True,
    "ja4": ("t13d1516h2_8daaf6152771_d8a2da3f94cd",),
    "ip": (ip_network("192.0.2.0/24"),),
    "ports": (443,),
    "transport": "tcp",
    "data": True,
    "roles_reversed": True,
    "size": SizeRange(min=49),
    "early_packets": EarlySizes(count=3, min=411),
    "learned": "vpn",
    "opened_by": "outside",
    "opening": True,
}


def test_every_key_is_here() -> None:
    assert list(VALUES) == list(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_covers_itself_and_not_nothing(name: str) -> None:
    match = Match([(KEYS[name], VALUES[name])])
    assert match.covers(match)
    assert not match.covers(Match())
    assert Match().covers(match) is not KEYS[name].splits


def _networks(*prefixes: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, prefixes))


@pytest.mark.parametrize(
    ("name", "value", "within", "partly"),
    [
        (
            "ip",
            _networks("192.0.2.0/24"),
            _networks("192.0.2.7", "192.0.2.64/26"),
            _networks("192.0.2.7", "2001:db8::/32"),
        ),
        ("ports", (443, range(1000, 3000)), (443, range(1500, 2001)), (443, 80)),
        ("ports", (443, range(1000, 3000)), (range(2000, 3000),), (443, range(2999, 3001))),
        ("tls.sni", names("a.com", "*.a.com"), names("a.com", "b.a.com"), names("a.com", "b.com")),
        ("dns.qtype", ("A", "AAAA"), ("AAAA",), ("A", "HTTPS")),
        ("protocol", ("ssh", "openvpn"), ("openvpn",), ("ssh", "l2tp")),
    ],
)
def test_a_match_covers_what_lies_in_it_whole(name, value, within, partly) -> None:
    """Or a rule below another would be called unreachable that still has something to do."""
    match, inner, other = (Match([(KEYS[name], one)]) for one in (value, within, partly))
    assert [match.covers(inner), match.covers(other), inner.covers(match)] == [True, False, False]


@pytest.mark.parametrize("name", KEYS)
def test_what_decides(name: str) -> None:
    match = Match([(KEYS[name], VALUES[name])])
    kinds = CompiledRule(match).kinds
    content = isinstance(KEYS[name], ContentKey)
    assert (match.by_content, bool(kinds)) == (content, content)
    assert match.by_first_packet is (not content and not getattr(KEYS[name], "per_packet", False))


class Word(ContentKey[str]):
    """A word anywhere in a payload."""

    name = "word"
    shape = str
    kinds: ClassVar = frozenset({Kind.PAYLOAD})

    def fits(self, compiled, content):
        return compiled.encode() in content.payload


class Odd(HeaderKey[bool]):
    """The far port is odd."""

    name = "odd"
    shape = bool

    def fits(self, compiled, packet, outside, port):
        return (port % 2 == 1) is compiled


def word(model: str, **more) -> Line:
    profile = replace(PROFILES["t22"], models=replace(PROFILES["t22"].models, value=((model, 1.0),)))
    udp = more.pop("udp", False)
    return Line(policy(Match([(Word(), "forbidden")], **more), SilentDrop(), profile), udp=udp, dport=80)


@pytest.mark.parametrize("model", MODELS)
def test_a_word_in_one_segment_is_seen_by_every_model(model: str) -> None:
    line = word(model)
    line.handshake()
    assert line.L(payload=b"GET /forbidden HTTP/1.1\r\n\r\n").fired
    other = word(model)
    other.handshake()
    assert not other.L(payload=b"GET /allowed HTTP/1.1\r\n\r\n").fired


@pytest.mark.parametrize("model", MODELS)
def test_a_word_in_two_segments_is_seen_by_models_that_reassemble(model: str) -> None:
    line = word(model)
    line.handshake()
    assert not line.L(payload=b"GET /forb").fired
    assert line.L(payload=b"idden HTTP/1.1\r\n\r\n").fired is (MODELS[model].view == "stream")


def test_a_word_in_a_datagram() -> None:
    line = word("T", udp=True)
    assert line.L(payload=b"a forbidden word").fired
    assert not word("T", udp=True).L(payload=b"an allowed word").fired


def test_only_the_first_datagram_of_a_flow_is_read() -> None:
    line = word("T", udp=True)
    line.L(payload=b"an allowed word")
    assert not line.L(payload=b"a forbidden word").fired


def test_a_word_does_not_change_what_else_is_seen() -> None:
    """Two rules on one box: the server name is found as before."""
    line = Line(policy(Match(tls_sni=names("x.com")), SilentDrop()))
    rules = (*line.policy.rules, *word("T").policy.rules)
    both = Line(replace(line.policy, rules=(rules[0], replace(rules[1], name="word"))))
    for each in (line, both):
        each.handshake()
        assert each.L(payload=hello("x.com")).fired


def test_a_header_key_of_the_flow_is_decided_at_the_first_packet() -> None:
    match = Match([(Odd(), True)])
    assert match.by_first_packet
    assert Line(policy(match, SilentDrop()), dport=81).L("S").fired
    assert not Line(policy(match, SilentDrop()), dport=80).L("S").fired


def test_two_content_keys_of_one_kind_must_both_hold() -> None:
    class Long(Word):
        """A long payload."""

        name = "long"

        def fits(self, compiled, content):
            return len(content.payload) > 20

    match = Match([(Word(), "forbidden"), (Long(), "x")])
    for payload, fired in ((b"forbidden", False), (b"forbidden" * 5, True), (b"allowed" * 5, False)):
        line = Line(policy(match, SilentDrop()), dport=80)
        line.handshake()
        assert line.L(payload=payload).fired is fired


def test_equality_needs_the_same_key_and_value() -> None:
    class Other(Word):
        """Another key of the same name."""

    assert Match([(Word(), "a")]) == Match([(Word(), "a")])
    assert Match([(Word(), "a")]) != Match([(Word(), "b")])
    assert Match([(Word(), "a")]) != Match([(Other(), "a")])
    assert hash(Match(ports=(80,), data=True)) == hash(Match(data=True, ports=(80,)))
    assert repr(Match(ports=(80,), transport="tcp")) == "Match(ports=(80,), transport='tcp')"


def test_pickles() -> None:
    import pickle

    match = Match(tls_sni=names("a.com"), ports=(443,))
    assert pickle.loads(pickle.dumps(match)) == match
