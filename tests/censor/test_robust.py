"""Packets of any shape never stop the core, its tables are bounded, and it decides the same again."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_RR, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Raw

from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.icmp import Icmp
from testbed.censor.actions.page import Page
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Verdict
from testbed.censor.match.quic import QuicForm
from testbed.censor.names import NameMatcher
from testbed.censor.packet import parse, parse_any
from testbed.censor.parsers import Unread, dns, http, tls
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.segments import options
from tests.censor.actions.test_divert import PORT53, box
from tests.censor.line import INSIDE, OUTSIDE, Line, hello, names, sni

EVERYTHING = Policy(
    "box",
    PROFILES["leg-active"],
    (
        Rule("dns", Match(dns_qname=names("*x*")), DnsLie(a=("1.2.3.4",))),
        Rule("page", Match(http_host=names("*x*")), Page(location="http://block/")),
        Rule("sni", Match(tls_sni=names("x.com")), RewriteRst()),
        Rule("quic", Match(quic=QuicForm(min_payload=5)), SilentDrop()),
        Rule("rst", Match(ports=(7,)), InjectRst(to="both")),
        Rule("icmp", Match(ports=(9,)), Icmp()),
    ),
)

QUERY = bytes.fromhex("1267010000010000000000000178017803636f6d0000010001")
SAMPLES = [
    bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=443, flags="PA") / Raw(hello())),
    bytes(IPv6(src="fc00::1", dst="fc00::2") / TCP(sport=1, dport=443, flags="PA") / Raw(hello())),
    bytes(IP() / TCP(sport=1, dport=80, flags="PA") / Raw(b"GET / HTTP/1.1\r\nHost: x.com\r\n\r\n")),
    bytes(IP() / UDP(sport=1, dport=53) / Raw(QUERY)),
    bytes(IP() / UDP(sport=1, dport=443) / Raw(b"\xc0\0\0\0\1" + bytes(1200))),
    bytes(IP() / TCP(sport=1, dport=7, flags="S")),
    bytes(IPv6() / UDP(sport=1, dport=9) / Raw(b"x")),
]


@given(st.lists(st.tuples(st.binary(max_size=200), st.sampled_from(Direction)), max_size=10))
def test_junk_never_raises(packets: list[tuple[bytes, Direction]]) -> None:
    censor = Censor(EVERYTHING, 1)
    for at, (raw, direction) in enumerate(packets):
        censor.process(raw, direction, float(at))


@settings(max_examples=400)
@given(st.sampled_from(SAMPLES), st.data())
def test_mutated_packets_never_raise(sample: bytes, data: st.DataObject) -> None:
    censor, packet = Censor(EVERYTHING, 1), bytearray(sample)
    for _ in range(data.draw(st.integers(0, 6))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(packet[: data.draw(st.integers(0, len(packet)))])
    for direction in Direction:
        decision = censor.process(raw, direction, 0.0)
        for injection in decision.inject:
            assert parse(injection.packet) is not None


def mutations(data: st.DataObject, sample: bytes) -> bytes:
    """Some of a packet's octets changed, the first forty more than the others, and its end cut off."""
    packet = bytearray(sample)
    for _ in range(data.draw(st.integers(0, 3))):
        last = data.draw(st.sampled_from((min(40, len(packet)), len(packet)))) - 1
        packet[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    return bytes(packet[: data.draw(st.one_of(st.just(len(packet)), st.integers(0, len(packet))))])


@settings(max_examples=1000)
@given(st.sampled_from(SAMPLES), st.data())
def test_headers_read_in_one_go_are_those_read_step_by_step(sample: bytes, data: st.DataObject) -> None:
    raw = mutations(data, sample)
    assert parse(raw) == parse_any(raw)


@given(st.binary(max_size=300))
def test_parsers_never_raise(data: bytes) -> None:
    for parser in (tls.client_hello, http.host, dns.question, dns.question_over_tcp):
        parser(data)
        parser(hello()[:9] + data)


@given(st.integers(0, len(hello())))
def test_a_truncated_clienthello_is_more_or_not(size: int) -> None:
    result = tls.client_hello(hello()[:size])
    assert isinstance(result, Unread) or size == len(hello())


@pytest.mark.parametrize("size", [65_515, 1 << 20])
def test_long_payloads_are_read_once(size: int) -> None:
    for parser in (tls.client_hello, http.host, dns.question):
        for payload in (
            b"G" * size,
            b"GET /" + b"a" * size,
            b"\x01a" * (size // 2),
            b"\x16\x03\x01" + bytes(size),
        ):
            assert isinstance(parser(payload), Unread)


SHAPES = {
    "truncated": SAMPLES[0][:30],
    "total length too long": SAMPLES[0][:2] + b"\xff\xff" + SAMPLES[0][4:],
    "header length 0": b"\x40" + SAMPLES[0][1:],
    "data offset beyond the end": SAMPLES[0][:32] + b"\xf0" + SAMPLES[0][33:45],
    "fragment of a ClientHello": bytes(fragment(IP(SAMPLES[0]), 64)[0]),
    "later fragment": bytes(fragment(IP(SAMPLES[0]), 64)[1]),
    "IPv6 fragment": bytes(IPv6() / IPv6ExtHdrFragment(m=1, nh=6) / Raw(SAMPLES[1][40:])),
    "empty": b"",
    "version 5": b"\x55" + SAMPLES[0][1:],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_cannot_be_read_passes(shape: str) -> None:
    decision = Censor(EVERYTHING, 1).process(SHAPES[shape], Direction.UP, 0.0)
    assert decision.verdict is Verdict.PASS
    assert decision.rule is None


READABLE = {
    "IP options": IP(src=INSIDE[4], dst=OUTSIDE[4], options=[IPOption_RR()])
    / TCP(dport=443, flags="PA")
    / hello(),
    "extension headers": IPv6(src=INSIDE[6], dst=OUTSIDE[6])
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrDestOpt()
    / TCP(dport=443, flags="PA")
    / hello(),
    "atomic fragment": IPv6(src=INSIDE[6], dst=OUTSIDE[6])
    / IPv6ExtHdrFragment(m=0, offset=0)
    / TCP(dport=443, flags="PA")
    / hello(),
    "wrong TCP checksum": IP(src=INSIDE[4], dst=OUTSIDE[4]) / TCP(dport=443, flags="PA", chksum=1) / hello(),
    "link padding": Raw(
        bytes(IP(src=INSIDE[4], dst=OUTSIDE[4]) / TCP(dport=443, flags="PA") / hello()) + bytes(6)
    ),
    "65,535 bytes": IP(src=INSIDE[4], dst=OUTSIDE[4])
    / TCP(dport=443, flags="PA")
    / (hello() + bytes(65_495 - len(hello()))),
}


@pytest.mark.parametrize("shape", READABLE)
def test_odd_but_readable_packets_are_judged(shape: str) -> None:
    censor = Censor(EVERYTHING, 1)
    raw = bytes(READABLE[shape])
    assert censor.process(raw, Direction.UP, 0.0).events, shape
    back = parse(raw)
    assert back is not None


def test_flow_table_is_bounded_and_says_so() -> None:
    censor = Censor(sni(RewriteRst()), 1, max_flows=100)
    packet = IP(src=INSIDE[4], dst=OUTSIDE[4]) / TCP(dport=443, flags="S")
    for port in range(250):
        packet[TCP].sport = 1000 + port
        del packet[TCP].chksum
        censor.process(bytes(packet), Direction.UP, 0.0)
    assert censor.evictions == 150


def _flows(censor: Censor, ports: range, now: float, *, answered: bool = False) -> int:
    """Open a flow from each port at time `now`; evictions until now."""
    for port in ports:
        up = IP(src=INSIDE[4], dst=OUTSIDE[4]) / TCP(sport=port, dport=443, flags="S")
        down = IP(src=OUTSIDE[4], dst=INSIDE[4]) / TCP(sport=443, dport=port, flags="SA")
        censor.process(bytes(up), Direction.UP, now)
        if answered:
            censor.process(bytes(down), Direction.DOWN, now)
    return censor.evictions


def test_idle_flows_make_room_for_new_ones() -> None:
    """Any number of flows, one after the other: the bound is for those that live."""
    censor = Censor(sni(RewriteRst()), 1, max_flows=100)
    assert [_flows(censor, range(1, 91), now) for now in (0.0, 100.0, 200.0, 300.0)] == [0, 0, 0, 0]
    assert _flows(censor, range(1, 131), 310.0) == 30  # its twin: too many at a time


def test_a_flow_that_lives_longer_does_not_keep_the_idle_ones_behind_it() -> None:
    """An answered flow is remembered for longer than one that is only opening."""
    censor = Censor(sni(RewriteRst()), 1, max_flows=100)
    _flows(censor, range(1, 11), 0.0, answered=True)
    _flows(censor, range(11, 101), 1.0)
    assert _flows(censor, range(200, 290), 70.0) == 0
    assert _flows(censor, range(300, 310), 71.0) == 10


def _session(seed: int, sport: int) -> list[object]:
    line = Line(sni(SilentDrop(scope="packet"), "a.com", drop=0.5), seed=seed, sport=sport)
    seen = []
    for name in ("a.com", "b.com") * 20:
        line.new_port()
        line.handshake()
        decision = line.L(payload=hello(name)).decision
        seen.append((decision.verdict, tuple(replace(event, flow="") for event in decision.events)))
    return seen


def test_same_seed_same_decisions_whatever_the_source_ports() -> None:
    assert _session(7, 40000) == _session(7, 51234)
    assert _session(7, 40000) != _session(8, 40000)


@given(st.text(alphabet="abx.", min_size=1, max_size=12), st.text(alphabet="abx.", min_size=1, max_size=4))
def test_patterns_mean_what_they_say(name: str, core: str) -> None:
    assert (name in NameMatcher([f"*{core}*"])) is (core in name)
    assert (name in NameMatcher([core])) is (core == name)
    if not core.startswith("."):
        assert (name in NameMatcher([f"*.{core}"])) is name.endswith(f".{core}")
        assert (name in NameMatcher([f"*{core}"])) is name.endswith(core)


def test_replay_order_of_random_traffic_is_deterministic() -> None:
    rng = random.Random(5)
    packets = [(rng.choice(SAMPLES), rng.choice(list(Direction))) for _ in range(300)]
    runs = []
    for _ in range(2):
        censor = Censor(EVERYTHING, 3)
        runs.append([censor.process(raw, way, at * 0.01) for at, (raw, way) in enumerate(packets)])
    assert runs[0] == runs[1]


SEGMENTS = [("S", b""), ("SA", b""), ("A", b""), ("A", b""), ("R", b""), ("FA", b""), ("S", hello("a.com"))]
SEGMENTS += [("PA", one) for one in (hello("a.com"), hello("b.com"), hello("a.com")[:60], b"junk" * 40)]


def _segment(rng: random.Random) -> tuple[bytes, Direction]:
    """Of one of some flows to two ports."""
    (flags, payload), way = rng.choice(SEGMENTS), rng.choice(list(Direction))
    src, dst, sport, dport = "10.0.0.1", "10.0.0.2", rng.randrange(1000, 1010), rng.choice((443, 25))
    if way is Direction.DOWN:
        src, dst, sport, dport = dst, src, dport, sport
    header = IP(src=src, dst=dst) / TCP(sport=sport, dport=dport, flags=flags, seq=rng.randrange(3))
    return bytes(header / Raw(payload)), way


@pytest.mark.parametrize("profile", ["t21", "t22", "leg-active"])
def test_segments_without_data_say_nothing_where_only_data_decides(profile: str) -> None:
    """A censor that inspects them too decides the same of all others, and may but give a flow up sooner."""
    rng, handed_over = random.Random(11), 0
    segments = [_segment(rng) for _ in range(1000)]
    short, whole = (Censor(sni(SilentDrop(), "a.com", profile=profile), 3) for _ in range(2))
    assert short._data_alone
    whole._data_alone = False
    for at in range(20_000):
        raw, way = rng.choice(segments)
        mine, other = (censor.process(raw, way, at * 0.1) for censor in (short, whole))
        packet = parse(raw)
        assert packet is not None
        if not packet.has_payload:
            mine, other = replace(mine, handover=None), replace(other, handover=None)
        assert mine == other
        handed_over += mine.handover is not None
    assert handed_over > 500


def test_evictions_of_the_actions_own_tables_are_counted_too() -> None:
    line = Line(box(PORT53), udp=True, dport=53)
    for number in range(4100):
        line.sport = 2000 + number
        line.L(payload=b"q")
    assert line.censor.evictions == 4


def _with_options(data: bytes) -> dict[int, bytes]:
    raw = bytearray(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A")) + data)
    raw[32] = 5 + len(data) // 4 << 4
    raw[2:4] = len(raw).to_bytes(2, "big")
    packet = parse(bytes(raw))
    assert packet is not None
    return options(packet)


def test_tcp_options_are_read_as_far_as_they_are_well_formed() -> None:
    assert _with_options(b"\4\2\1\1") == {4: b""}
    assert _with_options(b"\2\4\5\xb4\4\2\1\1") == {2: b"\5\xb4", 4: b""}
    assert _with_options(b"\1\1\1\x08") == {}, "a kind without its length"
    assert _with_options(b"\2\4\5\xb4\x13\x12\0\0") == {2: b"\5\xb4"}, "longer than what is there"
    assert _with_options(b"\x13\1\0\0") == {}, "shorter than its own header"
    assert _with_options(b"\0\2\4\1") == {}, "the end of the list"


def test_a_tcp_header_that_ends_outside_the_packet_is_no_packet() -> None:
    raw = bytearray(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A") / Raw(b"abcd")))
    for words in range(16):
        raw[32] = words << 4
        assert (parse(bytes(raw)) is not None) is (words in (5, 6)), words
