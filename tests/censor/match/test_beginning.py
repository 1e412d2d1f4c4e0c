"""Rules about how a flow began: who opened it, how large its packets are, how many first ones are so."""

import pytest

from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.match.beginning import EarlySizes, SizeRange
from testbed.censor.policy import Match
from tests.censor.line import Line, hello, names, opened, policy

GET = b"GET / HTTP/1.1\r\nHost: x.com\r\n\r\n"
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]


def syn(line: Line, options: list[tuple[str, object]]):
    """The subscriber's SYN with these TCP options."""
    from scapy.layers.inet import IP, TCP

    return line.send(
        IP(src="95.24.0.2", dst="104.244.42.1") / TCP(sport=40000, dport=443, flags="S", options=options)
    )


def test_a_syn_without_options_passes_a_listed_address() -> None:
    """GDPI wiki, Rostelecom: less than 62 bytes of Ethernet frame passed; then the connection is free."""
    rule = policy(Match(transport="tcp", opening=True, size=SizeRange(min=49)), SilentDrop())
    assert syn(Line(rule), OPTIONS).silent
    bare = Line(rule)
    assert syn(bare, []).untouched
    assert bare.R("SA").untouched
    assert bare.L(payload=bytes(1000)).untouched  # larger, but it opens nothing


def test_a_rule_by_size_waits_for_such_a_packet() -> None:
    line = opened(policy(Match(ports=(443,), size=SizeRange(min=1000)), SilentDrop()))
    assert line.L(payload=bytes(100)).untouched
    assert line.L(payload=bytes(959)).untouched
    assert line.L(payload=bytes(960)).fired


def test_the_opening_datagram_only() -> None:
    rule = policy(Match(transport="udp", opening=True, size=SizeRange(max=100)), SilentDrop())
    first = Line(rule, udp=True)
    assert first.L(payload=b"small").fired
    later = Line(rule, udp=True)
    assert later.L(payload=bytes(200)).untouched
    assert later.L(payload=b"small").untouched


@pytest.mark.parametrize(
    ("sizes", "fires"),
    [
        ((500, 500, 500), True),
        ((411, 411, 411), True),
        ((500, 100, 500, 100, 500), True),
        ((500, 100, 500, 100, 410), False),
        ((100, 100, 100, 500, 500, 500), False),  # three, but not among the first five
        ((500, 500), False),
    ],
)
def test_three_of_the_first_five(sizes: tuple[int, ...], fires: bool) -> None:
    line = opened(
        policy(Match(transport="tcp", early_packets=EarlySizes(3, 5, 411)), SilentDrop()), dport=8388
    )
    results = []
    for size in sizes:
        results.append(line.L(payload=bytes(size)).fired)
        line.R(payload=bytes(1000))
    assert (any(results), results[-1]) == (fires, fires)


@pytest.mark.parametrize(("direction", "fires"), [("up", False), ("down", True), ("both", False)])
def test_the_direction_counts(direction: str, fires: bool) -> None:
    wanted = EarlySizes(2, 2, 411, direction=direction)  # type: ignore[arg-type]
    line = opened(policy(Match(transport="tcp", early_packets=wanted), SilentDrop()), dport=8388)
    fired = []
    for who, size in (("L", 100), ("R", 500), ("L", 500), ("R", 500), ("L", 500)):
        fired.append(getattr(line, who)(payload=bytes(size)).fired)
    assert any(fired) is fires


def test_what_can_no_longer_hold_is_left_to_the_kernel() -> None:
    line = opened(
        policy(Match(transport="tcp", early_packets=EarlySizes(2, 2, 411)), SilentDrop()), dport=8388
    )
    assert line.box.process(*_packet(line, bytes(100))).by == "core"
    assert line.box.process(*_packet(line, bytes(500))).by == "pass"


def _packet(line: Line, payload: bytes):
    from scapy.layers.inet import IP, TCP

    from testbed.censor.decision import Direction

    line.seq["L"] += len(payload)
    packet = IP(src="95.24.0.2", dst="104.244.42.1") / TCP(sport=line.sport, dport=8388, flags="PA") / payload
    return bytes(packet), Direction.UP, line.now


def test_a_new_connection_on_the_same_ports_is_counted_afresh() -> None:
    line = opened(
        policy(Match(transport="tcp", early_packets=EarlySizes(2, 2, 411)), SilentDrop()), dport=8388
    )
    line.L(payload=bytes(100))
    line.handshake()
    assert [line.L(payload=bytes(size)).fired for size in (500, 500)] == [False, True]


def test_content_of_one_packet_and_sizes_of_later_ones() -> None:
    """Shadowsocks: the first packet looks random, and so many are large."""
    match = Match(protocol=("encrypted",), early_packets=EarlySizes(3, 5, 411))
    random = bytes((i * 89 + 7) % 256 for i in range(500))
    line = opened(policy(match, SilentDrop()), dport=8388)
    assert [line.L(payload=random).fired for _ in range(3)] == [False, False, True]
    plain = opened(policy(match, SilentDrop()), dport=8388)
    assert not any(plain.L(payload=GET * 15).fired for _ in range(5))


def test_600_bytes_do_not_disarm_the_freeze_and_601_do() -> None:
    """NTC1823 #40, #51-55: a short-header datagram of 601 bytes first prevents the freeze of 2022."""
    match = Match(transport="udp", ports=(443,), early_packets=EarlySizes(max=600))
    for size, fires in ((600, True), (601, False)):
        line = Line(policy(match, Freeze(packets=15, count="down")), udp=True)
        assert line.L(payload=b"\x40" * size).fired is fires
        assert not line.L(payload=b"\x40" * 100).fired


def test_a_server_at_home_is_reached_by_rules_for_what_the_outside_opens() -> None:
    match = Match(opened_by="outside", ports=(25,))
    for port, fires in ((25, True), (26, False)):
        line = Line(policy(match, SilentDrop()), dport=50000)
        line.sport = port  # the inside host's
        assert line.R("S").fired is fires


def test_the_rule_for_outside_leaves_what_the_inside_opens() -> None:
    match = Match(opened_by="outside", ports=(25,))
    line = Line(policy(match, SilentDrop()), dport=25)
    line.handshake()
    assert line.L(payload=b"EHLO x\r\n").untouched


@pytest.mark.parametrize(("opener", "fires"), [("outside", True), ("inside", False), (None, False)])
def test_content_that_the_outside_sends_to_a_server_at_home(opener: str | None, fires: bool) -> None:
    """A profile of TSPU leaves such flows alone (IMC21 §6.5), unless a rule names them."""
    line = Line(policy(Match(http_host=names("x.com"), opened_by=opener), RewriteRst()), dport=50000)
    line.sport = 80
    line.R("S")
    line.L("SA")
    line.R("A")
    assert line.R(payload=GET).fired is fires


def test_the_servers_port_counts_in_a_profile_that_inspects_both_openers() -> None:
    line = Line(policy(Match(tls_sni=names("x.com")), SilentDrop(), "outage"), dport=50000)
    line.sport = 443
    line.R("S")
    line.L("SA")
    line.R("A")
    assert line.R(payload=hello("x.com")).fired


def test_a_flow_seen_from_its_middle_on_has_the_far_server() -> None:
    line = Line(policy(Match(tls_sni=names("x.com")), SilentDrop(), "outage"))
    line.R(payload=b"data of an older connection")
    assert line.L(payload=hello("x.com")).fired


def test_opened_by_inside_in_a_profile_that_inspects_both() -> None:
    match = Match(opened_by="inside", transport="tcp")
    assert Line(policy(match, SilentDrop(), "outage")).L("S").fired
    assert not Line(policy(match, SilentDrop(), "outage")).R("S").fired
