"""The IP block of 2022, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from testbed.censor.actions.block_host import BlockHost
from testbed.censor.decision import Direction, Verdict
from testbed.censor.policy import Match, Policy
from tests.censor.line import INSIDE, OUTSIDE, Line, checksums_right, policy

BOTH = pytest.mark.parametrize("version", [4, 6])
BLOCKED = (ip_network("104.244.42.1/32"), ip_network("2606:1f80:f000::1/128"))


def block(networks: tuple = BLOCKED) -> Policy:
    return policy(Match(ip=networks), BlockHost())


@BOTH
def test_c58_a_syn_meets_silence_on_any_port(version: int) -> None:
    for port in (22, 80, 443, 9001):
        line = Line(block(), version, dport=port)
        for _ in range(3):
            attempt = line.L("S")
            assert attempt.silent
            assert attempt.decision.rule == 0
            line.wait(30)


@BOTH
def test_c58_so_does_anything_else_from_inside(version: int) -> None:
    assert Line(block(), version).L("A").silent
    assert Line(block(), version).L("PA", b"data").silent
    line = Line(block(), version, udp=True)
    assert line.L(payload=b"x").silent
    assert line.L(payload=b"x").silent


@BOTH
def test_c59_the_blocked_hosts_syn_passes_and_the_answer_leaves_as_rst_ack(version: int) -> None:
    line = Line(block(), version)
    assert line.R("S").untouched
    ttl = {"ttl": 55} if version == 4 else {"hlim": 55}
    for flags, payload in (("SA", b""), ("SA", b""), ("A", b""), ("PA", b"data")):
        seq, ack = line.seq["L"], line.seq["R"]
        result = line.L(flags, payload, **ttl)
        reset = result.arrived
        assert (reset[TCP].flags, reset[TCP].seq, reset[TCP].ack) == ("RA", seq, ack)
        assert not reset[TCP].payload
        assert (reset.ttl if version == 4 else reset.hlim) == 55
        assert checksums_right(reset)
        assert (result.decision.verdict, result.decision.rule) == (Verdict.REPLACE, 0)
        assert not result.to_inside
        assert not result.to_outside
    assert line.R("PA", b"more").arrived is not None


@BOTH
def test_who_opened_is_who_sent_the_last_syn(version: int) -> None:
    line = Line(block(), version)
    assert line.L("S").silent
    assert line.R("S").arrived is not None
    assert line.L("SA").arrived[TCP].flags == "RA"
    assert line.L("S").silent, "the inside host opens again"


@BOTH
def test_c60_ping_is_dead_both_ways(version: int) -> None:
    line = Line(block(), version)
    if version == 4:
        out, back = IP(src=INSIDE[4], dst=OUTSIDE[4]), IP(src=OUTSIDE[4], dst=INSIDE[4])
        request, reply = ICMP(type=8, id=7), ICMP(type=0, id=7)
    else:
        out, back = IPv6(src=INSIDE[6], dst=OUTSIDE[6]), IPv6(src=OUTSIDE[6], dst=INSIDE[6])
        request, reply = ICMPv6EchoRequest(id=7), ICMPv6EchoReply(id=7)
    assert line.send(out / request).silent
    assert line.send(back / reply, Direction.DOWN).silent


@BOTH
def test_twin_another_host_is_left_alone(version: int) -> None:
    line = Line(block((ip_network("104.244.42.2/32"), ip_network("2606:1f80:f000::2/128"))), version)
    assert line.L("S").untouched
    line = Line(block((ip_network("1.2.3.4/32"),)), version)
    assert line.R("S").untouched
    assert line.L("SA").untouched


def test_udp_that_the_blocked_host_opened_is_not_answered() -> None:
    line = Line(block(), udp=True)
    assert line.R(payload=b"x").arrived is not None
    assert line.L(payload=b"x").silent


def test_a_block_is_one_event_per_flow() -> None:
    line = Line(block())
    assert [line.L("S").fired for _ in range(4)] == [True, False, False, False]
