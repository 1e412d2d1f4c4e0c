"""QUIC Initials: RFC 9001's own, real clients', and clients' laid out anew."""

import random
from collections.abc import Callable

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.quic import ALL, LAYOUTS_2023, MAX_CRYPTO, MAX_DATAGRAMS, InitialReader
from testbed.censor.parsers.quic_packet import (
    DRAFT_29,
    V1,
    V2,
    LongHeader,
    decrypted,
    initial_keys,
    long_header,
    varint,
)
from testbed.censor.parsers.tls import ClientHello
from tests.censor.line import hello
from tests.censor.parsers.real import read

CID = bytes.fromhex("8394c8f03e515708")  # RFC 9001 appendix A
PADDING, PING = b"\0", b"\x01"
HELLO = hello("x.com", pad=700)[5:]


def crypto(offset: int, data: bytes) -> bytes:
    buffer = Buffer(capacity=len(data) + 20)
    buffer.push_uint_var(6)
    buffer.push_uint_var(offset)
    buffer.push_uint_var(len(data))
    buffer.push_bytes(data)
    return buffer.data


def initial(
    frames: bytes, *, number: int = 0, version: int = V1, cid: bytes = CID, keys: bytes = CID
) -> bytes:
    """A client's Initial around frames, protected by aioquic."""
    pair = CryptoPair()
    pair.setup_initial(keys, is_client=True, version=version)
    frames = frames.ljust(4, PADDING)  # so that the header protection's sample is there
    first = 0xC1 | (0x10 if version == V2 else 0)
    header = Buffer(capacity=64)
    header.push_uint8(first)
    header.push_uint32(version)
    header.push_uint8(len(cid))
    header.push_bytes(cid)
    header.push_uint8(0)
    header.push_uint_var(0)  # no token
    header.push_uint16(0x4000 | (len(frames) + 2 + 16))
    header.push_uint16(number)
    return pair.encrypt_packet(header.data, frames, number)


def client(version: int = V1, name: str = "x.com") -> list[bytes]:
    """What aioquic's client sends first."""
    connection = QuicConnection(
        configuration=QuicConfiguration(
            is_client=True,
            server_name=name,
            alpn_protocols=["h3"],
            supported_versions=[version],
            original_version=version,
        )
    )
    connection.connect(("192.0.2.1", 443), now=0.0)
    return [datagram for datagram, _ in connection.datagrams_to_send(now=0.0)]


def name_of(answer: ClientHello | Unread) -> str | Unread | None:
    return answer.server_name if isinstance(answer, ClientHello) else answer


def last(reader: InitialReader, datagrams: list[bytes]) -> str | Unread | None:
    return name_of([reader.feed(datagram) for datagram in datagrams][-1])


def test_keys_of_rfc_9001() -> None:
    key, iv, protection = initial_keys(V1, CID)
    assert key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert protection.hex() == "9f50449e04a0e810283a1e9933adedd2"


def test_keys_of_rfc_9369() -> None:
    key, iv, protection = initial_keys(V2, CID)
    assert key.hex() == "8b1a0bc121284290a29e0971b5cd045d"
    assert iv.hex() == "91f73e2351d8fa91660e909f"
    assert protection.hex() == "45b95e15235d6f45a6b19cbcb0294ba9"


RFC_HELLO = bytes.fromhex(  # RFC 9001 A.2: the CRYPTO frame
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
    "04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
    "616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
    "0d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
    "75300901100f088394c8f03e51570806048000ffff"
)


def test_packet_of_rfc_9001() -> None:
    """The header of A.2 with its 4-byte packet number 2, and the protected bytes that the RFC prints."""
    pair = CryptoPair()
    pair.setup_initial(CID, is_client=True, version=V1)
    header = bytes.fromhex("c300000001088394c8f03e5157080000449e00000002")
    datagram = pair.encrypt_packet(header, RFC_HELLO.ljust(1162, PADDING), 2)
    assert datagram[:32].hex() == "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11"
    assert datagram[-16:].hex() == "e221af44860018ab0856972e194cd934"
    found = long_header(datagram)
    assert found == LongHeader(V1, 0, CID, 18, 1200)
    assert decrypted(datagram, 0, found, V1, CID) == RFC_HELLO.ljust(1162, PADDING)
    assert name_of(InitialReader().feed(datagram)) == "example.com"


@pytest.mark.parametrize("version", [V1, V2])
def test_a_real_client(version: int) -> None:
    assert last(InitialReader(ALL), client(version)) == "x.com"
    assert last(InitialReader(), client(version)) == ("x.com" if version == V1 else NOT)


def test_draft_29() -> None:
    keys = initial_keys(DRAFT_29, CID)
    assert keys[0].hex() == "175257a31eb09dea9366d8bb79ad80ba"  # draft-ietf-quic-tls-29, appendix A.1
    assert keys[0] != initial_keys(V1, CID)[0]


def test_chrome_over_two_datagrams() -> None:
    first, second = read("chrome146-h3")
    reader = InitialReader()
    assert reader.feed(first) is MORE
    assert name_of(reader.feed(second)) == "example.com"
    assert last(InitialReader(), [second, first]) == "example.com"
    assert InitialReader(LAYOUTS_2023).feed(first) is NOT


def test_shuffled_frames_in_one_datagram() -> None:
    """As Chromium lays its ClientHello out: cut anywhere, in any order, PING and PADDING between."""
    for seed in range(50):
        rng = random.Random(seed)
        cuts = sorted(rng.sample(range(1, len(HELLO)), rng.randrange(1, 12)))
        frames = [
            crypto(a, HELLO[a:b]) for a, b in zip((0, *cuts), (*cuts, len(HELLO)), strict=True)
        ]  # fmt: skip
        frames += [PING, PADDING * rng.randrange(1, 30)]
        rng.shuffle(frames)
        datagram = initial(b"".join(frames).ljust(1162, PADDING))
        for layouts in (ALL, LAYOUTS_2023):
            assert name_of(InitialReader(layouts).feed(datagram)) == "x.com"


def test_frames_over_datagrams_in_any_order_with_repeats_and_overlaps() -> None:
    pieces = [crypto(at, HELLO[at : at + 90]) for at in range(0, len(HELLO), 70)]
    for seed in range(20):
        rng = random.Random(seed)
        chosen = pieces + rng.sample(pieces, 3)
        rng.shuffle(chosen)
        reader = InitialReader()
        answers = [reader.feed(initial(frame, number=n)) for n, frame in enumerate(chosen)]
        first = next((n for n, answer in enumerate(answers) if answer is not MORE), None)
        assert first is not None
        assert all(name_of(answer) == "x.com" for answer in answers[first:])


def test_a_hole_of_one_byte_is_waited_for() -> None:
    reader = InitialReader()
    assert reader.feed(initial(crypto(0, HELLO[:50]) + crypto(51, HELLO[51:]))) is MORE
    assert name_of(reader.feed(initial(crypto(50, HELLO[50:51]), number=1))) == "x.com"


def test_coalesced_packets() -> None:
    """Two Initials in one datagram, then a 0-RTT packet, which is stepped over."""
    half = len(HELLO) // 2
    zero_rtt = b"\xd1" + V1.to_bytes(4, "big") + b"\x08" + CID + b"\0" + b"\x40\x20" + bytes(32)
    two = initial(crypto(half, HELLO[half:])) + initial(crypto(0, HELLO[:half]), number=1)
    assert name_of(InitialReader().feed(two + zero_rtt)) == "x.com"
    assert name_of(InitialReader().feed(zero_rtt + two)) == "x.com"
    assert InitialReader().feed(zero_rtt) is NOT


def test_padding_outside_the_packet() -> None:
    """Firefox's way (NTC1823 #32), which boxes of 2023 did not follow."""
    datagram = initial(crypto(0, HELLO)).ljust(1200, PADDING)
    assert name_of(InitialReader().feed(datagram)) == "x.com"
    assert InitialReader(LAYOUTS_2023).feed(datagram) is NOT


def test_a_later_datagram_to_the_servers_connection_id() -> None:
    half = len(HELLO) // 2
    first = initial(crypto(0, HELLO[:half]))
    ack = b"\x02\x01\x00\x01\x00\x00\x00"
    second = initial(ack + crypto(half, HELLO[half:]), number=2, cid=b"\x09" * 8)
    assert last(InitialReader(), [first, second]) == "x.com"
    strange = initial(crypto(half, HELLO[half:]), number=2, keys=b"\x09" * 8)
    assert last(InitialReader(), [first, strange]) is NOT


GOOD = initial(crypto(0, HELLO))
PASSED_BY: dict[str, bytes] = {
    "nothing": b"",
    "a short header": b"\x40" + GOOD[1:],
    "no fixed bit": b"\x80" + GOOD[1:],
    "an unknown version": GOOD[:1] + b"\xde\xad\xbe\xef" + GOOD[5:],
    "version negotiation": GOOD[:1] + bytes(4) + GOOD[5:],
    "a flipped bit": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "another connection id": GOOD[:6] + bytes(8) + GOOD[14:],
    "cut": GOOD[:-1],
    "a Retry": b"\xf0" + GOOD[1:],
    "no ClientHello": initial(crypto(0, b"\x02" + HELLO[1:])),
    "a frame of another level": initial(b"\x08\x00abc" + crypto(0, HELLO)),
    "a closing client": initial(b"\x1c\0\0\0"),
    "beyond the bound": initial(crypto(MAX_CRYPTO, b"x")),
    "a cut frame": initial(crypto(0, HELLO)[:-3]),
    "a cut ACK": initial(PADDING * 4 + b"\x02\x01\x00\xff"),
}


@pytest.mark.parametrize("case", PASSED_BY)
def test_what_the_box_lets_pass(case: str) -> None:
    reader = InitialReader()
    assert reader.feed(PASSED_BY[case]) is NOT
    assert reader.feed(GOOD) is NOT, "a first datagram that is not followed ends the reading"
    assert name_of(InitialReader().feed(GOOD)) == "x.com"


@pytest.mark.parametrize(
    "frame",
    [lambda n: PING, lambda n: crypto(0, HELLO[:10]), lambda n: crypto(9 + n, b"x")],
    ids=["pings", "the same again", "a gap that never closes"],
)
def test_waiting_is_bounded(frame: Callable[[int], bytes]) -> None:
    reader = InitialReader()
    answers = [reader.feed(initial(frame(n), number=n)) for n in range(MAX_DATAGRAMS + 2)]
    assert answers == [MORE] * MAX_DATAGRAMS + [NOT] * 2


def test_many_small_frames_are_too_many() -> None:
    tiny = b"".join(crypto(2 * n + 1, b"x") for n in range(600))
    assert InitialReader().feed(initial(tiny)) is NOT


@pytest.mark.parametrize(("first", "width"), [(0x40, 2), (0x80, 4), (0xC0, 8)])
def test_a_number_that_is_cut(first: int, width: int) -> None:
    whole = bytes([first]) + bytes(width - 1)
    assert varint(whole, 0) == (0, width)
    for length in range(1, width):
        for before in (0, 9):
            assert varint(bytes(before) + whole[:length], before) == (-1, before + length + 1)


def test_pieces_that_overlap_are_bounded_too() -> None:
    reader = InitialReader()
    answers = [reader.feed(initial(crypto(10 + n, bytes(5000)), number=n)) for n in range(4)]
    assert answers == [MORE, MORE, MORE, NOT]


@pytest.mark.parametrize(("size", "seen"), [(0, "x.com"), (20, "x.com"), (21, NOT)])
def test_a_connection_id_has_20_bytes_at_most(size: int, seen: object) -> None:
    cid = bytes(range(size))
    assert name_of(InitialReader().feed(initial(crypto(0, HELLO), cid=cid, keys=cid))) == seen
