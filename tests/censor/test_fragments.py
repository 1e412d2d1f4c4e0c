"""IP fragments at a box of 2022: held, released one by one, forty-five at most (C52, C55 to C57)."""

from collections.abc import Iterable

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Packet, Raw

from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from tests.censor.line import INSIDE, OUTSIDE, Line, hello, sni

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
