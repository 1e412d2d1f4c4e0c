"""What offloads leave in captures is judged as the packets that were on the wire."""

import io

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop, Jumbo
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from testbed.capture.file import CaptureFile
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.silent_drop import SilentDrop
from testbed.censor.policy import Policy
from testbed.replay.ippacket import ip_packet
from testbed.replay.play import Replay
from testbed.replay.sides import sides_from_prefixes
from testbed.replay.superpackets import WireSize
from testbed.scenario.inspection import policy_with_model
from tests.capture.captures import BEGIN, CLIENT, SERVER, Session, pcap
from tests.censor.line import hello, sni
from tests.replay.test_play import INSIDE, replayed


def segment(payload: bytes, flags: str = "PA", kind: type[Packet] = IP, **more: object) -> Packet:
    ends = ("fd00::1", "fd00::2") if kind is IPv6 else (CLIENT, SERVER)
    tcp = TCP(sport=5, dport=443, seq=2**32 - 700, ack=9, flags=flags, **more)
    return kind(src=ends[0], dst=ends[1]) / tcp / Raw(payload)


def cut(packet: Packet, wire: WireSize | None = None) -> list[Packet]:
    made = (wire or WireSize()).pieces(bytes(packet))
    return [type(packet)(piece) for piece in made]


@pytest.mark.parametrize("kind", [IP, IPv6])
def test_a_segment_is_cut_as_a_card_does(kind):
    payload = bytes(number % 251 for number in range(4000))
    stamp = {"options": [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]}
    packet = segment(payload, "FPAC", kind, **stamp)
    if kind is IP:
        packet.id, packet.flags = 0xFFFF, "DF"
    pieces = cut(packet)
    room = (1460 if kind is IP else 1440) - 12
    sizes = [min(room, 4000 - at) for at in range(0, 4000, room)]
    assert [len(piece[Raw].load) for piece in pieces] == sizes
    assert b"".join(piece[Raw].load for piece in pieces) == payload
    assert [piece[TCP].seq for piece in pieces] == [(2**32 - 700 + n * room) % 2**32 for n in range(3)]
    assert [str(piece[TCP].flags) for piece in pieces] == ["AC", "A", "FPA"]
    assert {tuple(piece[TCP].options) for piece in pieces} == {tuple(packet[TCP].options)}
    if kind is IP:
        assert [piece.id for piece in pieces] == [0xFFFF, 0, 1]
    for piece in pieces:
        fresh = piece.copy()
        for layer in (fresh, fresh[TCP]):
            if hasattr(layer, "chksum"):
                del layer.chksum
        assert bytes(fresh) == bytes(piece), "lengths and checksums are right"


@pytest.mark.parametrize("size", [1, 100, 1460])
def test_what_fits_is_left_as_it_is(size):
    raw = bytes(segment(bytes(size)))
    assert WireSize().pieces(raw) == [raw]


def test_a_larger_wire():
    raw = bytes(segment(bytes(8000)))
    assert WireSize(9000).pieces(raw) == [raw]
    assert len(WireSize(576).pieces(raw)) == 15


@pytest.mark.parametrize(
    ("mss", "sizes"),
    [(1000, [1000, 400]), (1400, [1400]), (None, [1400]), (0, [48] * 29 + [8])],
)
def test_the_peers_mss_is_the_size(mss, sizes):
    """Two segments that a card merged may be smaller together than the wire's largest packet."""
    wire = WireSize()
    options = [] if mss is None else [("MSS", mss)]
    answer = IP(src=SERVER, dst=CLIENT) / TCP(sport=443, dport=5, flags="SA", options=options)
    assert len(wire.pieces(bytes(answer))) == 1
    assert [len(piece[Raw].load) for piece in cut(segment(bytes(1400)), wire)] == sizes
    back = IP(src=SERVER, dst=CLIENT) / TCP(sport=443, dport=5, flags="PA") / Raw(bytes(1400))
    assert len(cut(back, wire)) == 1, "the client's MSS is another"


def test_datagrams_have_no_known_size():
    assert WireSize().pieces(bytes(IP() / UDP() / Raw(bytes(1473)))) == []
    raw = bytes(IP() / UDP() / Raw(bytes(1472)))
    assert WireSize().pieces(raw) == [raw]


def test_checksums_that_the_card_completes():
    right = bytes(segment(b"x" * 50))
    pseudo = bytes.fromhex("c0a8010a 68f42a01 0006 0046".replace(" ", ""))
    total = sum(int.from_bytes(pseudo[at : at + 2], "big") for at in range(0, 12, 2))
    partial = right[:36] + (total % 0xFFFF).to_bytes(2, "big") + right[38:]
    decoy = right[:36] + b"\x12\x34" + right[38:]
    assert WireSize(complete_checksums=True).pieces(partial) == [right]
    assert WireSize().pieces(partial) == [partial]
    assert WireSize(complete_checksums=True).pieces(decoy) == [decoy], (
        "a tool's wrong checksum was on the wire"
    )


def long_hello() -> bytes:
    """The name is in the first segment, the end of the message in the second."""
    made = hello(pad=1700)
    assert 1600 < len(made) < 2500
    return made


def box(model: str) -> Policy:
    return policy_with_model(sni(SilentDrop()), model)


def super_session() -> Session:
    session = Session().send("up", "S").send("down", "SA").send("up", "A")
    session.send("up", "PA", long_hello())
    return session.send("down", "PA", b"\x16\x03\x03\x00\x7a" + bytes(122)).send("up", "A")


@pytest.mark.parametrize(
    ("model", "whats"), [("T", [(4, "unread")]), ("R", [(4, "matched"), (4, "dropped")])]
)
def test_a_hello_in_one_super_packet_was_two_segments(model, whats):
    """The box of 2022 reads one packet and passes it; one that reassembles drops the second segment."""
    seen, run = replayed(super_session().frames(), box(model))
    assert seen.whats[: len(whats)] == whats
    assert (run.totals.super_packets, run.totals.pieces) == (1, 2)


def test_as_captured_it_would_be_matched():
    run = Replay(box("T"), 1, INSIDE, largest=65_535)
    run.run(CaptureFile(io.BytesIO(pcap(super_session().frames())), "x"), [], [])
    assert run.totals.rules["rule"]["matched"] == 1
    assert run.totals.super_packets == 0


@pytest.mark.parametrize(("largest", "dropped"), [(1500, True), (65_535, False)])
def test_a_freeze_counts_the_packets_of_the_wire(largest, dropped):
    session = Session().whole(0)
    for _ in range(2):
        session.send("down", "A", bytes(30_000))
    run = Replay(sni(Freeze(packets=20)), 1, INSIDE, largest=largest)
    run.run(CaptureFile(io.BytesIO(pcap(session.frames())), "x"), [], [])
    assert bool(run.totals.rules["rule"]["dropped"]) is dropped


@pytest.mark.parametrize("kind", [IP, IPv6])
@pytest.mark.parametrize("size", [500, 3000, 70_000])
def test_a_length_of_zero_is_that_of_the_frame(kind, size):
    """As Linux writes super-packets, up to those of BIG TCP."""
    whole = bytearray(bytes(segment(bytes(20), kind=kind)))
    raw = bytes(whole[:-20]) + bytes(size)
    at = slice(2, 4) if kind is IP else slice(4, 6)
    raw = raw[: at.start] + bytes(2) + raw[at.stop :]
    packet, reason = ip_packet(b"e" * 14 + raw, 14, 14 + len(raw))
    assert reason == ""
    pieces = [kind(piece) for piece in WireSize().pieces(packet)]
    assert b"".join(piece[Raw].load for piece in pieces) == bytes(size)
    assert ip_packet(b"e" * 14 + raw[:-1], 14, 14 + len(raw))[1] == "cut"


def test_a_jumbo_payload_option_is_taken_out():
    head = IPv6(src="fd00::1", dst="fd00::2", plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=70_028)])
    raw = bytes(head / TCP(sport=5, dport=443, flags="A")) + bytes(70_000)
    packet, reason = ip_packet(raw, 0, len(raw))
    assert reason == ""
    pieces = [IPv6(piece) for piece in WireSize().pieces(packet)]
    assert {piece.nh for piece in pieces} == {6}
    assert sum(len(piece[Raw].load) for piece in pieces) == 70_000


@pytest.mark.parametrize("missing", [0, 4, 18], ids=["whole", "no check sequence", "no padding either"])
def test_a_frame_may_be_longer_on_the_wire_than_its_packet(missing):
    """Padding or a frame check sequence that was not captured cuts nothing off the IP packet."""
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / segment(b""))
    assert ip_packet(frame, 14, len(frame) + missing) == (frame[14:], "")
    assert ip_packet(frame[:-1], 14, len(frame) + missing)[1] == "cut"


def test_an_ipv6_packet_may_be_empty():
    raw = bytes(IPv6(src="fd00::1", dst="fd00::2", nh=59, plen=0))
    assert ip_packet(raw + bytes(6), 0, 46) == (raw + bytes(6), "")


def test_frames_keep_their_number():
    session = super_session()
    seen, _ = replayed(session.frames(), box("T"), every=True)
    assert [frame.number for frame, *_ in seen.packets] == [1, 2, 3, 4, 4, 5, 6]
    assert [len(frame.data) for frame, *_ in seen.packets[3:5]] == [1514, 54 + len(long_hello()) - 1460]


def test_a_datagram_of_a_burst_is_counted():
    burst = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=CLIENT, dst=SERVER)
    frames = [(BEGIN, bytes(burst / UDP(sport=5, dport=443) / Raw(bytes(5000))))]
    _, run = replayed(frames, sni(SilentDrop()), sides=sides_from_prefixes(["192.168.0.0/16"]))
    assert dict(run.totals.aside) == {"unknown_size": 1}
