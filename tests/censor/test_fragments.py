"""IP fragments at a box of 2022: held, released one by one, forty-five at most (C52, C55 to C57)."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Packet, Raw

from testbed.censor.actions.block_host import BlockHost
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from testbed.censor.policy import Match
from tests.censor.line import INSIDE, OUTSIDE, Line, checksums_right, hello, opened, policy, sni

POLICY = sni(RewriteRst())


def pieces(count: int, version: int = 4) -> list[Packet]:
    """A datagram in `count` fragments."""
    if version == 4:
        whole = IP(src=INSIDE[4], dst=OUTSIDE[4], id=7) / UDP(sport=1, dport=9) / Raw(bytes(8 * count - 8))
        return fragment(whole, 8)
    whole = (
        IPv6(src=INSIDE[6], dst=OUTSIDE[6])
        / IPv6ExtHdrFragment(id=7)
        / UDP(sport=1, dport=9)
        / Raw(bytes(2000))
    )
    return fragment6(whole, 1280)


def arrivals(censor: Censor, packets: Iterable[Packet], now: float = 0.0) -> list[Packet]:
    """What reaches the other end."""
    seen: list[Packet] = []
    for packet in packets:
        decision = censor.process(bytes(packet), Direction.UP, now)
        seen += (type(packet)(injection.packet) for injection in decision.inject)
        if (passed := _own(decision, packet)) is not None:
            seen.append(passed)
    return seen


def _own(decision: Decision, packet: Packet) -> Packet | None:
    if decision.verdict is Verdict.DROP:
        return None
    return type(packet)(decision.packet) if decision.verdict is Verdict.REPLACE else packet


@pytest.mark.parametrize("version", [4, 6])
def test_c52_all_arrive_after_the_last_and_unreassembled(version: int) -> None:
    censor, sent = Censor(POLICY, 1), pieces(45, version)
    assert arrivals(censor, sent[:-1]) == []
    released = arrivals(censor, sent[-1:])
    assert [bytes(packet) for packet in released] == [bytes(packet) for packet in sent]


def test_forty_six_are_too_many() -> None:
    censor = Censor(POLICY, 1)
    assert arrivals(censor, pieces(46)) == []
    assert censor.fragments_discarded == 46


def test_a_box_of_2021_lets_them_pass() -> None:
    sent = pieces(46)
    assert arrivals(Censor(sni(RewriteRst(), profile="t21"), 1), sent) == sent


@pytest.mark.parametrize("order", ["reversed", "last first"])
def test_they_may_come_in_any_order(order: str) -> None:
    sent = pieces(5)
    mixed = sent[::-1] if order == "reversed" else [sent[-1], *sent[:-1]]
    assert [bytes(p) for p in arrivals(Censor(POLICY, 1), mixed)] == [bytes(p) for p in mixed]


def test_the_first_ones_hop_limit_is_everybodys() -> None:
    sent = pieces(3)
    sent[0].ttl = 60
    sent[2].ttl = 3  # enough to reach the box, not the far end
    for packet in sent:
        del packet.chksum
    released = arrivals(Censor(POLICY, 1), [IP(bytes(packet)) for packet in sent])
    assert [packet.ttl for packet in released] == [60, 60, 60]
    for packet in released:
        again = packet.copy()
        del again.chksum
        assert bytes(again) == bytes(packet)


def test_c55_c56_without_all_of_them_nothing_arrives_and_they_are_forgotten() -> None:
    censor, sent = Censor(POLICY, 1), pieces(4)
    assert arrivals(censor, sent[1:]) == []
    assert arrivals(censor, sent[:1], now=6.0) == []
    assert censor.fragments_discarded == 3
    assert len(arrivals(censor, sent[1:], now=7.0)) == 4


@pytest.mark.parametrize("again", [1, 0])
def test_a_duplicate_spoils_the_packet(again: int) -> None:
    censor, sent = Censor(POLICY, 1), pieces(4)
    assert arrivals(censor, [*sent[:2], sent[again], *sent[2:]]) == []
    assert censor.fragments_discarded == 5


def test_c57_a_clienthello_in_fragments_is_not_matched() -> None:
    line = Line(POLICY)
    line.handshake()
    whole = IP(src=INSIDE[4], dst=OUTSIDE[4], id=9) / Raw(hello())
    assert len(arrivals(line.censor, fragment(whole, 64))) == len(fragment(whole, 64))


def test_a_flood_of_first_fragments_is_bounded_and_counted() -> None:
    censor = Censor(POLICY, 1)
    packet = bytearray(bytes(pieces(2)[0]))
    for number in range(5000):
        packet[4:6] = number.to_bytes(2, "big")
        censor.process(bytes(packet), Direction.UP, 0.0)
    assert censor.evictions == 5000 - 4096


# --- who decides about them ------------------------------------------------------------------------


FAR = Match(ip=(ip_network("104.244.42.0/24"), ip_network("2606:1f80:f000::/48")))
BOXES = ("t21", "t22", "leg-active", "outage")  # with a buffer only t22
BLOCKS = {"drop": SilentDrop(), "block-host": BlockHost(), "drop packets": SilentDrop(scope="packet")}


def cut(line: Line, protocol: str, *, down: bool = False, size: int = 1000, of: int = 400) -> list[Packet]:
    """A packet of this line's flow, in fragments."""
    near, far = (OUTSIDE, INSIDE) if down else (INSIDE, OUTSIDE)
    sport, dport = (line.dport, line.sport) if down else (line.sport, line.dport)
    body = {
        "tcp": TCP(sport=sport, dport=dport, flags="PA", seq=5000, ack=6000),
        "udp": UDP(sport=sport, dport=dport),
        "icmp": ICMP(),
    }[protocol] / Raw(bytes(size))
    return fragment(IP(src=near[4], dst=far[4], id=77) / body, of)


@pytest.mark.parametrize("protocol", ["tcp", "udp", "icmp"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("box", BOXES)
def test_a_block_by_address_holds_for_fragments(box: str, block: str, protocol: str) -> None:
    line = Line(policy(FAR, BLOCKS[block], box))
    assert arrivals(line.censor, cut(line, protocol)) == []
    free = Line(policy(Match(ip=(ip_network("198.51.100.0/24"),)), BLOCKS[block], box))
    assert len(arrivals(free.censor, cut(free, protocol))) == 3


@pytest.mark.parametrize("box", BOXES)
def test_a_rule_by_port_holds_for_all_fragments_of_a_packet(box: str) -> None:
    for port, arrive in ((443, 0), (444, 3)):
        line = Line(policy(Match(ports=(443,)), SilentDrop(scope="packet"), box), dport=port)
        assert len(arrivals(line.censor, cut(line, "udp"))) == arrive


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_of_a_dropped_flow_are_dropped(version: int) -> None:
    line = opened(sni(SilentDrop()), version)
    assert line.L(payload=hello()).silent
    near, far = INSIDE[version], OUTSIDE[version]
    body = TCP(sport=line.sport, dport=443, flags="PA") / Raw(bytes(2000))
    if version == 4:
        sent = fragment(IP(src=near, dst=far, id=3) / body, 800)
    else:
        sent = fragment6(IPv6(src=near, dst=far) / IPv6ExtHdrFragment(id=3) / body, 1280)
    assert all(line.send(one).silent for one in sent)


def test_a_server_s_fragments_become_one_reset() -> None:
    for box in ("t22w", "t22", "leg-active"):
        line = opened(sni(RewriteRst(residual=75), profile=box))
        assert line.L(payload=hello()).fired
        seen = [line.send(one, Direction.DOWN).arrived for one in cut(line, "tcp", down=True)]
        (reset,) = [one for one in seen if one is not None]
        assert (reset[TCP].flags, reset.frag, reset.flags.MF) == ("RA", 0, False)
        assert checksums_right(reset)


def test_a_first_fragment_shorter_than_its_header_breaks_nothing() -> None:
    for box in ("t22", "leg-active"):
        line = opened(sni(RewriteRst(residual=75), profile=box))
        line.L(payload=hello())
        arrived = [
            line.send(one, Direction.DOWN).arrived for one in cut(line, "tcp", down=True, of=8, size=40)
        ]
        assert [one[TCP].flags for one in arrived if one is not None] == ["RA"]


def test_fragments_of_a_host_that_opens_are_not_blocked() -> None:
    for box in ("t21", "t22"):
        line = Line(policy(FAR, SilentDrop(), box), udp=True)
        assert line.R(payload=b"?").untouched
        assert len(arrivals(line.censor, cut(line, "udp"))) == 3


def test_an_upstream_only_box_never_sees_what_comes_down() -> None:
    line = Line(replace(POLICY, upstream_only=True))
    assert all(line.send(one, Direction.DOWN).untouched for one in cut(line, "udp", down=True))


def test_they_evade_no_policer() -> None:
    line = opened(sni(Policer(rate=8_000, burst=1_000), profile="t21"))
    assert line.L(payload=hello()).fired
    sent = [cut(line, "tcp", down=True) for _ in range(20)]
    firsts = sum(line.send(packets[0], Direction.DOWN).arrived is not None for packets in sent)
    assert firsts == 2  # of 424 bytes, from a bucket of 1,000
