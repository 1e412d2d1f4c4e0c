"""Link types: where the IP packet is, and frames of our own."""

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback

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
