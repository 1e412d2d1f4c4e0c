"""Rewritten addresses and ports: scapy, computing checksums afresh, must agree."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt
from scapy.packet import Packet, Raw

from testbed.censor.packet import parse
from testbed.censor.rewrite import readdressed
from tests.censor.line import checksums_right

PORTS = st.integers(0, 65535)
ADDRESSES = {4: st.ip_addresses(v=4).map(str), 6: st.ip_addresses(v=6).map(str)}
LAYERS = {"tcp": TCP, "udp": UDP}


def packed(address: str) -> bytes:
    return ip_address(address).packed


def read(raw: bytes) -> Packet:
    return (IP if raw[0] >> 4 == 4 else IPv6)(raw)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("layer", ["tcp", "udp"])
@given(data=st.data())
def test_everything_changed_as_scapy_would_build_it(version: int, layer: str, data: st.DataObject) -> None:
    old, new = (data.draw(st.tuples(ADDRESSES[version], ADDRESSES[version], PORTS, PORTS)) for _ in range(2))
    payload = Raw(data.draw(st.binary(max_size=40)))

    def built(ends: tuple[str, str, int, int]) -> bytes:
        ip = IP(src=ends[0], dst=ends[1], id=7, ttl=9) if version == 4 else IPv6(src=ends[0], dst=ends[1])
        return bytes(ip / LAYERS[layer](sport=ends[2], dport=ends[3]) / payload)

    packet = parse(built(old))
    assert packet is not None
    got = readdressed(packet, source=packed(new[0]), destination=packed(new[1]), sport=new[2], dport=new[3])
    assert got == built(new)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("field", ["source", "destination", "sport", "dport", "nothing"])
def test_one_field_alone(version: int, field: str) -> None:
    ip = IP(src="10.0.0.1", dst="10.0.0.2") if version == 4 else IPv6(src="fc00::1", dst="fc00::2")
    raw = bytes(ip / TCP(sport=1, dport=2, options=[("MSS", 1400)]) / Raw(b"odd"))
    address = packed("192.0.2.9" if version == 4 else "2001:db8::9")
    fields = {"source": address, "destination": address, "sport": 99, "dport": 99}
    changed = {field: fields[field]} if field in fields else {}
    got = readdressed(parse(raw), **changed)
    before, after = read(raw), read(got)
    assert checksums_right(after)
    seen = {
        "source": after.src != before.src,
        "destination": after.dst != before.dst,
        "sport": after[TCP].sport != 1,
        "dport": after[TCP].dport != 2,
    }
    assert {key for key, different in seen.items() if different} == set(changed)
    assert (got == raw) is (field == "nothing")


def test_a_wrong_checksum_stays_wrong() -> None:
    raw = bytes(IP(dst="10.0.0.2") / TCP(chksum=0x1234) / Raw(b"x"))
    assert not checksums_right(read(readdressed(parse(raw), destination=packed("192.0.2.9"))))


def test_no_udp_checksum_stays_none() -> None:
    raw = bytes(IP(dst="10.0.0.2") / UDP(chksum=0) / Raw(b"x"))
    assert read(readdressed(parse(raw), destination=packed("192.0.2.9"), dport=5))[UDP].chksum == 0


def test_a_udp_checksum_that_becomes_zero_is_sent_as_ffff() -> None:
    packet = parse(bytes(IP(dst="10.0.0.2") / UDP(sport=1, dport=1) / Raw(b"x")))
    seen = {readdressed(packet, dport=dport)[26:28] for dport in range(65536)}  # for one port the sum is 0
    assert b"\0\0" not in seen
    assert b"\xff\xff" in seen


@pytest.mark.parametrize(
    "packet",
    [
        IP(src="10.0.0.1", dst="10.0.0.2") / ICMP() / Raw(b"x"),
        IPv6(src="fc00::1", dst="fc00::2") / ICMPv6EchoRequest(data=b"x"),
        IPv6(src="fc00::1", dst="fc00::2") / IPv6ExtHdrDestOpt() / UDP() / Raw(b"x"),
    ],
)
def test_other_shapes(packet: Packet) -> None:
    raw = bytes(packet)
    address = packed("192.0.2.9" if raw[0] >> 4 == 4 else "2001:db8::9")
    got = readdressed(parse(raw), source=address, sport=9)
    assert len(got) == len(raw)
    assert read(got) == read(bytes(type(packet)(got)))
    again = read(got)
    for layer in (IP, UDP):
        if again.haslayer(layer):
            del again[layer].chksum
    if again.haslayer(ICMPv6EchoRequest):
        del again[ICMPv6EchoRequest].cksum
    assert bytes(again) == got
