"""Link types: where the IP packet is, and frames of our own."""

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback
from scapy.layers.ppp import HDLC, PPP, PPPoE

from testbed.capture import link

LINE = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")  # scapy would ask the network for these
FOUR = IP(src="192.168.1.10", dst="104.244.42.1") / TCP(dport=443, flags="S")
SIX = IPv6(src="fd00::1", dst="2606:1f80:f000::1") / TCP(dport=443, flags="S")
SLL = {4: 0x0800, 6: 0x86DD}

FRAMES = [
    (1, LINE / FOUR, 14),
    (1, LINE / SIX, 14),
    (1, LINE / Dot1Q(vlan=5) / FOUR, 18),
    (1, Ether(src=LINE.src, dst=LINE.dst, type=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / SIX, 22),
    (1, LINE / ARP(), -1),
    (101, FOUR, 0),
    (12, SIX, 0),
    (228, FOUR, 0),
    (229, SIX, 0),
    (113, CookedLinux(proto=0x0800) / FOUR, 16),
    (113, CookedLinux(proto=0x86DD) / SIX, 16),
    (113, CookedLinux(proto=0x8100) / Dot1Q(vlan=3) / FOUR, 20),
    (276, CookedLinuxV2(proto=0x0800) / FOUR, 20),
    (276, CookedLinuxV2(proto=0x0806) / ARP(), -1),
    (0, Loopback(type=2) / FOUR, 4),
    (0, Loopback(type=30) / SIX, 4),
    (108, b"\0\0\0\2" + bytes(FOUR), 4),
    (1, LINE / PPPoE(sessionid=7) / PPP() / FOUR, 22),
    (1, LINE / Dot1Q(vlan=5) / PPPoE(sessionid=7) / PPP(proto=0x57) / SIX, 26),
    (1, LINE / PPPoE(sessionid=7) / PPP(proto=0xC021), -1),  # LCP
    (1, bytes(LINE) + b"\x88\x63\x11\x09\0\0\0\0", -1),  # PPPoE discovery
    (1, LINE / MPLS(label=16, s=1) / FOUR, 18),
    (1, LINE / MPLS(label=16, s=0) / MPLS(label=17, s=1) / SIX, 22),
    (1, LINE / MPLS(label=16, s=1) / (b"\0\0\0\0" + bytes(LINE / FOUR)), -1),  # a pseudowire
    (219, MPLS(label=16, s=1) / FOUR, 4),
    (9, PPP() / FOUR, 2),
    (9, HDLC() / PPP(proto=0x57) / SIX, 4),
    (9, b"\x21" + bytes(FOUR), 1),  # protocol field compressed
    (9, b"\x02\x81" + bytes(MPLS(label=16, s=1) / FOUR), 6),
    (50, b"\xff\x03\x00\x21" + bytes(FOUR), 4),
    (50, b"\x0f\x00\x08\x00" + bytes(FOUR), 4),  # Cisco's
    (51, PPPoE(sessionid=7) / PPP() / FOUR, 8),
    (104, b"\x0f\x00\x86\xdd" + bytes(SIX), 4),
    (166, b"\x01\xff\x03\x00\x21" + bytes(FOUR), 5),
    (204, b"\x00\x00\x21" + bytes(FOUR), 3),
]


@pytest.mark.parametrize(("kind", "frame", "at"), FRAMES, ids=lambda value: str(value)[:30])
def test_finds_the_ip_packet(kind, frame, at):
    finder = link.offset_finder(kind)
    assert finder is not None
    raw = bytes(frame)
    assert finder(raw) == at
    if at >= 0:
        assert raw[at:] in (bytes(FOUR), bytes(SIX))
    for size in range(len(raw)):
        finder(raw[:size])  # short frames are no error


def test_an_answer_goes_back_to_the_sender():
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=9) / FOUR)
    back = Ether(link.framed(1, frame[:18], bytes(FOUR), reply=True))
    assert (back.src, back.dst, back[Dot1Q].vlan) == ("02:00:00:00:00:02", "02:00:00:00:00:01", 9)
    on = Ether(link.framed(1, frame[:18], bytes(FOUR), reply=False))
    assert bytes(on) == frame


@pytest.mark.parametrize(("cooked", "kind"), [(CookedLinux, 113), (CookedLinuxV2, 276)])
def test_cooked_frames_turn_round(cooked, kind):
    frame = bytes(cooked(pkttype=4, proto=0x0800) / FOUR)
    at = len(frame) - len(FOUR)
    assert cooked(link.framed(kind, frame[:at], bytes(FOUR), reply=True)).pkttype == 0
    assert cooked(link.framed(kind, frame[:at], bytes(FOUR), reply=False)).pkttype == 4


@pytest.mark.parametrize("tag", [(), (Dot1Q(vlan=9),)], ids=["plain", "tagged"])
def test_the_session_states_the_length_of_the_new_packet(tag):
    frame = LINE.copy()
    for one in tag:
        frame /= one
    raw = bytes(frame / PPPoE(sessionid=7) / PPP() / FOUR)
    at = len(raw) - len(FOUR)
    longer = bytes(FOUR / (b"x" * 100))
    made = Ether(link.framed(1, raw[:at], longer, reply=False))
    assert (made[PPPoE].len, made[PPPoE].sessionid) == (2 + len(longer), 7)
    assert bytes(link.framed(1, raw[:at], bytes(FOUR), reply=False)) == raw
    only = raw[-len(FOUR) - 8 :]
    assert link.framed(51, only[:8], longer, reply=False)[4:6] == (2 + len(longer)).to_bytes(2, "big")


@pytest.mark.parametrize("kind", [166, 204])
def test_ppp_with_a_direction_turns_round(kind):
    head = b"\x01\x00\x21"
    assert link.framed(kind, head, b"", reply=True) == b"\x00\x00\x21"
    assert link.framed(kind, head, b"", reply=False) == head
