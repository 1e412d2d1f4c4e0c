"""What is written as pcapng, read back by scapy, by the house's own reader, and block by block."""

import io
import struct
from ipaddress import ip_address

from scapy.utils import RawPcapNgReader

from testbed.capture.file import CaptureFile
from testbed.capture.link import ETHERNET
from testbed.capture.writer import PcapngWriter

FRAME = bytes(12) + b"\x08\x00" + b"E" + bytes(30)
AT = 1_646_395_200_123_456_789
KEYS = b"CLIENT_RANDOM aa bb\n"


def written() -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file, '{"case": "c"}')
    number = writer.interface("client.mts", ETHERNET, "the subscriber of mts")
    writer.names({"104.244.42.1": ["twitter.com", "x.com"], "2a00::1": ["six"]})
    writer.tls_secrets(KEYS)
    writer.packet("client.mts", ETHERNET, AT, FRAME, 1500, "censor: injected", outgoing=True)
    writer.packet("server.far", ETHERNET, AT + 1, FRAME[:-1], 44)
    writer.statistics(number, AT, 17, 3)
    return file.getvalue()


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each block; the sizes at both ends agree."""
    found, at = [], 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + size - 4)[0] == size
        assert size % 4 == 0
        found.append((kind, data[at + 8 : at + size - 4]))
        at += size
    return found


def options(body: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from("<HH", body, at)
        if not code:
            break
        found[code] = body[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
    return found


def test_scapy_reads_packets_comments_and_interfaces():
    first, second = RawPcapNgReader(io.BytesIO(written()))
    assert (first[0], first[1].ifname, first[1].comments) == (FRAME, b"client.mts", [b"censor: injected"])
    assert (second[0], second[1].ifname, second[1].comments) == (FRAME[:-1], b"server.far", None)
    assert (first[1].tshigh << 32) + first[1].tslow == AT
    assert (first[1].wirelen, first[1].direction) == (1500, 2)


def test_the_own_reader_passes_over_the_further_blocks():
    capture = CaptureFile(io.BytesIO(written()), "x")
    assert [(time, link, frame, wire) for time, link, frame, wire in capture] == [
        (AT, ETHERNET, FRAME, 1500),
        (AT + 1, ETHERNET, FRAME[:-1], 44),
    ]
    assert capture.fault is None


def test_the_section_says_what_case_it_is():
    kind, body = blocks(written())[0]
    assert (kind, options(body[16:])[1]) == (0x0A0D0D0A, b'{"case": "c"}')


def test_names_of_addresses():
    [body] = [body for kind, body in blocks(written()) if kind == 4]
    assert options(body) == {
        1: ip_address("104.244.42.1").packed + b"twitter.com\0x.com\0",
        2: ip_address("2a00::1").packed + b"six\0",
    }


def test_tls_secrets_come_before_the_packets():
    kinds = [kind for kind, _ in blocks(written())]
    body = blocks(written())[kinds.index(10)][1]
    assert struct.unpack_from("<II", body) == (0x544C534B, len(KEYS))
    assert body[8 : 8 + len(KEYS)] == KEYS
    assert kinds.index(10) < kinds.index(6)


def test_what_the_capture_lost():
    [body] = [body for kind, body in blocks(written()) if kind == 5]
    assert struct.unpack_from("<I", body)[0] == 0
    counted = options(body[12:])
    assert (int.from_bytes(counted[4], "little"), int.from_bytes(counted[5], "little")) == (17, 3)


def test_an_interface_has_a_name_and_a_description():
    bodies = [body for kind, body in blocks(written()) if kind == 1]
    assert [(options(body[8:])[2], options(body[8:]).get(3)) for body in bodies] == [
        (b"client.mts", b"the subscriber of mts"),
        (b"server.far", None),
    ]
