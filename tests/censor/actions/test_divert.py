"""Diversion, on the core. C numbers are the conformance cases' names."""

from ipaddress import ip_network

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from testbed.censor.actions.base import Context
from testbed.censor.actions.divert import Divert
from testbed.censor.decision import Direction, Verdict
from testbed.censor.flow import FlowKey
from testbed.censor.packet import parse
from testbed.censor.policy import Match, Policy
from testbed.censor.profiles import PROFILES
from tests.censor.line import INSIDE, OUTSIDE, Line, Result, checksums_right, names, policy

BOTH = pytest.mark.parametrize("version", [4, 6])
OTHER = {4: "62.33.207.196", 6: "2a01:620::53"}
PORT53 = Divert(to4=OTHER[4], to6=OTHER[6])


def box(action: Divert, match: Match | None = None) -> Policy:
    return policy(match or Match(ports=(53, 443)), action, "leg-active")


def reply(
    line: Line, *, sport: int = 0, dport: int = 0, payload: bytes = b"answer", flags: str = ""
) -> Result:
    """A packet of the other server to the inside host."""
    ip = (IP if line.version == 4 else IPv6)(src=OTHER[line.version], dst=INSIDE[line.version])
    sport, dport = sport or line.dport, dport or line.sport
    layer = UDP(sport=sport, dport=dport) if line.udp else TCP(sport=sport, dport=dport, flags=flags or "A")
    return line.send(ip / layer / Raw(payload), Direction.DOWN)


def ends(packet: Packet, layer: type[Packet] = UDP) -> tuple[str, int, str, int]:
    return packet.src, packet[layer].sport, packet.dst, packet[layer].dport


@BOTH
def test_c108_a_query_to_any_server_is_led_to_the_operators(version: int) -> None:
    line = Line(box(PORT53), version, udp=True, dport=53)
    query = line.L(payload=b"query")
    assert ends(query.arrived) == (INSIDE[version], line.sport, OTHER[version], 53)
    assert bytes(query.arrived[UDP].payload) == b"query"
    assert checksums_right(query.arrived)
    assert (query.decision.verdict, query.decision.rule) == (Verdict.REPLACE, 0)
    answer = reply(line)
    assert ends(answer.arrived) == (OUTSIDE[version], 53, INSIDE[version], line.sport)
    assert bytes(answer.arrived[UDP].payload) == b"answer"
    assert checksums_right(answer.arrived)
    assert (answer.decision.verdict, answer.decision.rule) == (Verdict.REPLACE, 0)


@BOTH
def test_c109_a_tcp_connection_is_led_to_another_port(version: int) -> None:
    line = Line(box(Divert(to4=OTHER[4], to6=OTHER[6], port=8443)), version)
    for flags, payload in (("S", b""), ("A", b""), ("PA", b"hello")):
        there = line.L(flags, payload).arrived
        assert ends(there, TCP) == (INSIDE[version], line.sport, OTHER[version], 8443)
        assert there[TCP].flags == flags
        assert checksums_right(there)
        back = reply(line, sport=8443, flags="SA" if flags == "S" else "A").arrived
        assert ends(back, TCP) == (OUTSIDE[version], 443, INSIDE[version], line.sport)
        assert checksums_right(back)


@BOTH
@pytest.mark.parametrize("udp", [True, False])
def test_the_action_by_itself_rewrites_both_ways(version: int, udp: bool) -> None:
    line = Line(box(PORT53), version, udp=udp, dport=53)
    layer, flags = (UDP, "") if udp else (TCP, "S")
    there = line.L(flags, b"" if flags else b"query").arrived
    (flow,) = line.censor._flows._flows.values()
    answer = (IP if version == 4 else IPv6)(src=OTHER[version], dst=INSIDE[version])
    answer = parse(bytes(answer / layer(sport=53, dport=there[layer].sport) / Raw(b"answer")))
    key = FlowKey(answer.destination, answer.dport, answer.source, answer.sport, answer.protocol)
    assert flow.host.aliases.get(key) == flow.key
    assert flow.host.aliases.get(key._replace(inside_port=9)) is None
    ctx = Context(
        answer, Direction.DOWN, flow, 1.0, 0, PROFILES["leg-active"], lambda _: 0.0, flow.hold.state
    )
    decision = PORT53.on_packet(ctx)
    back = (IP if version == 4 else IPv6)(decision.packet)
    assert ends(back, layer) == (OUTSIDE[version], 53, INSIDE[version], line.sport)
    assert decision.verdict is Verdict.REPLACE
    assert checksums_right(back)


def test_c110_udp_to_8888_is_hijacked_and_tcp_is_clean() -> None:
    match = Match(ip=(ip_network("104.244.42.1/32"),), ports=(53,), transport="udp")
    line = Line(box(Divert(to4=OTHER[4]), match), udp=True, dport=53)
    assert line.L(payload=b"query").arrived.dst == OTHER[4]
    line.udp = False
    assert line.L("S").untouched


@BOTH
def test_twin_what_no_rule_leads_elsewhere_is_untouched(version: int) -> None:
    line = Line(box(PORT53, Match(ports=(54,))), version, udp=True, dport=53)
    assert line.L(payload=b"query").untouched
    assert reply(line).untouched


def test_an_ip_version_without_an_address_is_left_alone() -> None:
    line = Line(box(Divert(to4=OTHER[4])), 6, udp=True, dport=53)
    assert line.L(payload=b"query").arrived.dst == OUTSIDE[6]
    assert line.L(payload=b"query").decision.rule is None


def test_the_other_server_itself_is_asked_directly() -> None:
    line = Line(box(Divert(to4=OUTSIDE[4], to6=OUTSIDE[6])), udp=True, dport=53)
    assert line.L(payload=b"query").decision.verdict is Verdict.PASS
    assert line.R(payload=b"answer").decision.verdict is Verdict.PASS


def test_the_asked_servers_own_packets_and_strangers_replies_pass() -> None:
    line = Line(box(PORT53), udp=True, dport=53)
    line.L(payload=b"query")
    assert line.R(payload=b"late").decision.verdict is Verdict.PASS
    assert reply(line, dport=line.sport + 7).untouched
    assert reply(line, sport=54).untouched


def test_two_servers_asked_from_one_port_are_told_apart() -> None:
    line = Line(box(PORT53), udp=True, dport=53)
    line.L(payload=b"one")
    second = line.send(IP(src=INSIDE[4], dst="9.9.9.9") / UDP(sport=line.sport, dport=53) / Raw(b"two"))
    used = second.arrived[UDP].sport
    assert used != line.sport
    assert checksums_right(second.arrived)
    assert ends(reply(line).arrived) == (OUTSIDE[4], 53, INSIDE[4], line.sport)
    assert ends(reply(line, dport=used).arrived) == ("9.9.9.9", 53, INSIDE[4], line.sport)


def test_a_connection_is_led_elsewhere_from_its_syn_or_not_at_all() -> None:
    line = Line(box(PORT53))
    assert line.L("PA", b"middle").arrived.dst == OUTSIDE[4]
    assert line.L("PA", b"middle").arrived.dst == OUTSIDE[4]
    by_name = policy(Match(dns_qname=names("x.com")), PORT53, "leg-active")
    query = bytes.fromhex("126701000001000000000000017803636f6d0000010001")
    assert Line(by_name, udp=True, dport=53).L(payload=query).arrived.dst == OUTSIDE[4], "rules by header"


def test_icmp_is_not_led_elsewhere() -> None:
    line = Line(box(PORT53, Match(ip=(ip_network("104.244.42.1/32"),))))
    assert line.send(IP(src=INSIDE[4], dst=OUTSIDE[4]) / ICMP()).arrived.dst == OUTSIDE[4]


def test_an_idle_flow_is_forgotten() -> None:
    line = Line(box(PORT53), udp=True, dport=53)
    line.L(payload=b"query")
    line.wait(590)
    assert reply(line).arrived.src == OUTSIDE[4]
    line.wait(610)
    assert reply(line).arrived.src == OTHER[4]


def test_the_memory_of_replies_is_bounded_and_evictions_are_events() -> None:
    line = Line(box(PORT53), udp=True, dport=53)
    events = []
    for number in range(4100):
        line.sport = 2000 + number
        events += [event for event in line.L(payload=b"q").decision.events if event.kind == "evict"]
    assert len(events) == 4
    line.sport = 2000
    assert reply(line).arrived.src == OTHER[4], "the oldest gave way"
    line.passed = 0  # the reply's own 4-tuple was handed over, not the query's
    line.L(payload=b"again")
    assert reply(line).arrived.src == OUTSIDE[4]


def test_without_an_address_it_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        Divert()
