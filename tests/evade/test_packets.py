"""The packets of strategies: scapy reads what was asked for, and nothing else is wrong with them."""

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from testbed.evade.forge import SenderFlow
from testbed.evade.segment import in_sequence, is_plain
from testbed.evade.strategy import parse_plan, strategies_known
from tests.censor.line import checksums_right

from .hellos import hello

HELLO = hello()
REQUEST = b"GET / HTTP/1.1\r\nHost: twitter.com\r\n\r\n"
PORT = 4433  # no scapy layer's own, some of which would read a part of a record and write it differently
FLOW = SenderFlow("10.0.0.2", "104.244.42.1", 40000, PORT, 1001, 9001, 5_000_000)
SIX = SenderFlow("2001:db8::2", "2606:1f80:f000::1", 40000, PORT, 1001, 9001, 5_000_000)
ALL = [key if key != "overlap" else "overlap:behind" for key in strategies_known()]


def packets(text, flow=FLOW, first=HELLO):
    plan = parse_plan(["segments", text] if text not in ("segments", "records", "before") else [text])
    return [flow.packet(one) for one in plan.flight(first)]


@pytest.mark.parametrize("key", ALL)
def test_a_packet_is_what_it_says(key):
    for raw in packets(key):
        read = IP(raw)
        assert (read.src, read.dst, read[TCP].sport, read[TCP].ack in (0, 9001)) == (
            "10.0.0.2",
            "104.244.42.1",
            40000,
            True,
        )
        assert len(raw) == read.len
    for raw in packets(key, SIX):
        assert (IPv6(raw).src, len(raw)) == ("2001:db8::2", 40 + IPv6(raw).plen)


@pytest.mark.parametrize("key", ALL)
def test_one_packet_alone_has_the_fault(key):
    wrong = [not checksums_right(IP(raw)) for raw in packets(key)]
    assert wrong.count(True) == (key == "bad-checksum")
    assert [not checksums_right(IPv6(raw)) for raw in packets(key, SIX)] == wrong


def test_faults_as_scapy_reads_them():
    def first(key):
        return IP(packets(key)[0])

    assert first("low-ttl").ttl == 6
    assert "A" not in first("no-ack")[TCP].flags
    assert first("bad-sequence")[TCP].seq == (1001 - 10_000) % (1 << 32)
    assert bytes(range(16)) in bytes(first("md5-option")[TCP])[20:40]
    assert dict(first("old-timestamp")[TCP].options)["Timestamp"] == (5_000_000 - 600_000, 0)
    assert first("out-of-band")[TCP].urgptr == len(first("out-of-band")[TCP].payload)


@pytest.mark.parametrize("first", [HELLO, REQUEST], ids=["tls", "http"])
@pytest.mark.parametrize("key", [key for key in ALL if key not in ("records", "before", "out-of-band")])
def test_the_connection_carries_the_same_bytes(key, first):
    plan = parse_plan(["segments", key] if key != "segments" else [key])
    assert in_sequence(plan.flight(first)) == first
    assert is_plain(plan.flight(first)) is (key in ("segments", "dns"))


@pytest.mark.parametrize("first", [HELLO, REQUEST], ids=["tls", "http"])
def test_a_decoy_has_another_name_of_the_same_length(first):
    decoy = parse_plan(["no-ack"]).flight(first)[0]
    assert decoy.data == first.replace(b"twitter.com", b"example.com")


def test_long_hellos_are_cut_where_linux_cuts_them():
    flight = parse_plan(["disorder"]).flight(bytes(3000))
    assert [(one.at, len(one.data)) for one in flight] == [(0, 1448), (1448, 1448), (2896, 104)]
