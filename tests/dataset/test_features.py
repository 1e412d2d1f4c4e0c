"""What is known of a flow: against the same by the standard library, and by hand."""

from collections.abc import Sequence
from itertools import pairwise
from math import log2
from random import Random
from statistics import fmean, pstdev

import pytest

from testbed.censor.packet import TCP, UDP, parse
from testbed.censor.wire import (
    Endpoints,
    IpForm,
    TcpForm,
    checksum,
    icmp_unreachable,
    pseudo_header,
    tcp,
    udp,
)
from testbed.dataset.disguise import Disguise
from testbed.dataset.features import FlowPacket, entropy, features_of

HERE, THERE = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
UP, DOWN = Endpoints(HERE, THERE, 4000, 443), Endpoints(THERE, HERE, 443, 4000)
NEW = {HERE: bytes([100, 64, 1, 2]), THERE: bytes([198, 18, 3, 4])}
PORTS = {b"\x0f\xa0": b"\x12\x34", b"\x01\xbb": b"\xab\xcd"}


def flow(seed: int) -> list[FlowPacket]:
    chance, at, made = Random(seed), 0.0, []
    for _ in range(30):
        up = chance.random() < 0.5
        form = TcpForm(chance.getrandbits(32), 1, chance.getrandbits(5))
        raw = tcp(
            UP if up else DOWN, form, IpForm(chance.randint(1, 255)), chance.randbytes(chance.randint(0, 900))
        )
        made.append(FlowPacket.of(at, raw, parse(raw), up=up))
        at += chance.random()
    return made


def spread(values: Sequence[float]) -> tuple[float, float]:
    return fmean(values), pstdev(values)


@pytest.mark.parametrize("seed", range(5))
def test_means_and_deviations_are_those_of_the_standard_library(seed: int) -> None:
    packets = flow(seed)
    found = features_of(packets)
    gaps = [later.at - sooner.at for sooner, later in pairwise(packets)]
    assert (found["gap_mean"], found["gap_std"]) == pytest.approx(spread(gaps), rel=1e-12)
    for way, up in (("up", True), ("down", False)):
        sizes = [len(one.raw) for one in packets if one.up is up]
        assert (found[f"size_mean_{way}"], found[f"size_std_{way}"]) == pytest.approx(
            spread(sizes), rel=1e-12
        )


def test_a_flow_of_one_packet_has_no_gaps_and_no_other_direction() -> None:
    raw = udp(UP, b"question", IpForm(61))
    found = features_of([FlowPacket.of(0.0, raw, parse(raw), up=True)])
    known = {"packets_up": 1, "payload_up": 8, "hop_limit_min_up": 61, "size_std_up": 0.0, "gap_std": 0.0,
             "packets_down": 0, "first_payload_at_down": -1.0, "entropy_down": 0.0, "syn_up": 0,
             "payload_size_1": 8, "payload_size_2": 0}  # fmt: skip
    assert {key: found[key] for key in known} == known


def test_entropy_of_bytes() -> None:
    assert entropy(b"") == 0
    assert entropy(b"aaaa") == 0
    assert entropy(b"ab") == 1
    assert entropy(b"aab") == pytest.approx(2 / 3 * log2(3 / 2) + 1 / 3 * log2(3))


def with_options(raw: bytes) -> bytes:
    """The IPv4 packet with four options that do nothing (RFC 791)."""
    head = (
        b"\x46"
        + raw[1:2]
        + (len(raw) + 4).to_bytes(2, "big")
        + raw[4:10]
        + b"\0\0"
        + raw[12:20]
        + b"\1\1\1\1"
    )
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + raw[20:]


@pytest.mark.parametrize(
    "raw",
    [
        tcp(UP, TcpForm(1, 2, 16), IpForm(), b"odd"),
        tcp(DOWN, TcpForm(1, 2, 16), IpForm(), b"even"),
        udp(UP, b"lookup", IpForm(ip_id=7)),
        udp(DOWN, bytes(1200), IpForm()),
        with_options(tcp(UP, TcpForm(1, 2, 16), IpForm(), b"options of the IP header")),
    ],
)
def test_a_disguise_is_the_packet_that_the_other_ends_would_have_sent(raw: bytes) -> None:
    packet = parse(Disguise(NEW, PORTS).of(raw))
    assert packet is not None
    before = parse(raw)
    assert before is not None
    assert (packet.source, packet.destination) == (NEW[before.source], NEW[before.destination])
    assert packet.payload == before.payload
    body = packet.raw[packet.transport_at :]
    covered = pseudo_header(packet.source, packet.destination, packet.protocol, len(body)) + body
    assert (checksum(packet.raw[: packet.transport_at]), checksum(covered)) == (0, 0)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_every_checksum_is_right_0_among_them(protocol: str) -> None:
    """One of 65,536 is 0: TCP's is a sum like any other, and UDP writes 0xFFFF for it (RFC 768)."""
    disguise, seen = Disguise(NEW, PORTS), set[bytes]()
    for number in range(1 << 16):
        data = number.to_bytes(2, "big")
        sent = tcp(UP, TcpForm(1, 2, 16), IpForm(), data) if protocol == "tcp" else udp(UP, data, IpForm())
        raw = disguise.of(sent)
        body, at = raw[20:], 16 if protocol == "tcp" else 6
        covered = pseudo_header(raw[12:16], raw[16:20], TCP if protocol == "tcp" else UDP, len(body)) + body
        assert checksum(covered) == 0, (number, sent.hex())
        seen |= {sent[20 + at : 22 + at], b"new" + body[at : at + 2]}
    zero = b"\0\0" if protocol == "tcp" else b"\xff\xff"
    assert {zero, b"new" + zero} <= seen, "both of them met it"


def test_a_wrong_checksum_stays_wrong_and_a_quoted_packet_is_disguised_too() -> None:
    disguise = Disguise(NEW, PORTS)
    sent = tcp(UP, TcpForm(1, 2, 2), IpForm())
    wrong = parse(disguise.of(sent[:36] + bytes([sent[36] ^ 1]) + sent[37:]))
    assert wrong is not None
    body = wrong.raw[20:]
    assert checksum(pseudo_header(wrong.source, wrong.destination, TCP, 20) + body) != 0

    packet = parse(sent)
    assert packet is not None
    error = parse(disguise.of(icmp_unreachable(packet, "admin-prohibited", IpForm())))
    assert error is not None
    assert error.payload == disguise.of(sent)
    assert checksum(error.raw[20:]) == 0
