"""Reading a capture of our own with its comments, also one that somebody else has added to or cut."""

import io
import struct
from pathlib import Path

import pytest

from testbed.capture.annotated_frames import annotated_frames
from testbed.capture.link import ETHERNET
from testbed.capture.writer import PcapngWriter

FRAME = bytes(12) + b"\x08\x00" + b"E" + bytes(28)


def written(tmp_path: Path, data: bytes) -> list[tuple[int, int, str, bool, str]]:
    path = tmp_path / "x.pcapng"
    path.write_bytes(data)
    return [
        (one.number, one.time, one.interface, one.outgoing, one.comment) for one in annotated_frames(path)
    ]


def capture(between: bytes = b"") -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file, "c")
    writer.tls_secrets(b"CLIENT_RANDOM a b\n")
    writer.packet("client.mts", ETHERNET, 7, FRAME, 43, "said \x1b[2J <b>", outgoing=True)
    file.write(between)
    writer.packet("server.far", ETHERNET, 8, FRAME, 43, outgoing=False)
    return file.getvalue()


BOTH = [(1, 7, "client.mts", True, "said \x1b[2J <b>"), (2, 8, "server.far", False, "")]


def test_interfaces_directions_and_comments(tmp_path):
    assert written(tmp_path, capture()) == BOTH


def test_unknown_blocks_are_passed_over(tmp_path):
    unknown = struct.pack("<II", 0x0BAD, 20) + b"junkjunk" + struct.pack("<I", 20)
    assert written(tmp_path, capture(unknown)) == BOTH


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_of_a_file_cut_short_what_came_before(tmp_path, cut):
    assert written(tmp_path, capture()[:-cut]) == BOTH[:1]


def test_nothing_and_no_file(tmp_path):
    assert written(tmp_path, b"") == []
    assert list(annotated_frames(tmp_path / "missing")) == []
