"""Reading captures: formats, byte orders, clocks, and files that are wrong."""

import gzip
import io
import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture.file import CaptureFile, open_capture
from testbed.capture.source import CHUNK
from testbed.errors import InputError
from tests.capture.captures import (
    BEGIN,
    Session,
    block,
    enhanced,
    interface,
    pcap,
    pcapng,
    section,
)

FRAMES = Session().whole().frames()


class Trickle(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read(self, size=-1):
        return super().read(min(size, 7))


def read(data: bytes, kind=io.BytesIO):
    capture = CaptureFile(kind(data), "x.pcap")
    return list(capture), capture


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("source", [io.BytesIO, Trickle])
def test_formats(write, order, nano, source):
    frames = [(at + 123, frame) for at, frame in FRAMES]  # 123 ns only nanosecond files can tell
    records, capture = read(write(frames, order=order, nano=nano), source)
    rest = 123 if nano else 0
    assert [(time, data) for time, _, data, _ in records] == [(at + rest, frame) for at, frame in FRAMES]
    assert {link for _, link, _, _ in records} == {1}
    assert all(wire == len(data) for _, _, data, wire in records)
    assert capture.fault is None
    assert capture.count == len(FRAMES)


@pytest.mark.parametrize("source", [io.BytesIO, Trickle])
@pytest.mark.parametrize("members", [1, 3])
def test_gzip(source, members):
    """One stream or several in a row, as `cat a.gz b.gz` and parallel packers make; zeros may follow."""
    data = pcap(FRAMES, nano=True)
    step = -(-len(data) // members)
    packed = b"".join(gzip.compress(data[at : at + step]) for at in range(0, len(data), step))
    for end in (b"", bytes(512)):
        records, capture = read(packed + end, source)
        assert [frame for _, _, frame, _ in records] == [frame for _, frame in FRAMES]
        assert capture.fault is None


def test_gzip_that_ends_early_or_is_damaged():
    packed = gzip.compress(pcap(FRAMES * 1000, nano=True), 0)
    records, capture = read(packed[:5000])
    assert 0 < len(records) < len(FRAMES) * 1000
    assert "ends in the middle of packet" in str(capture.fault)
    wrong_sum = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    records, capture = read(wrong_sum)
    assert len(records) > len(FRAMES) * 500
    assert "is damaged: gzip" in str(capture.fault)


def test_gzip_takes_no_memory():
    """100 MB in 100 kB: a damaged capture, read a piece at a time."""
    packed = gzip.compress(pcap(FRAMES) + b"\xff" * (100 << 20), 1)
    tracemalloc.start()
    _, capture = read(packed)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    assert "is damaged: a packet of" in str(capture.fault)


def test_files_larger_than_a_chunk():
    frames = [(BEGIN + number, bytes([number % 251]) * 1500) for number in range(CHUNK // 500)]
    for data in (pcap(frames, nano=True), pcapng(frames, nano=True)):
        records, _ = read(data)
        assert [(time, frame) for time, _, frame, _ in records] == frames


@pytest.mark.parametrize(
    ("resolution", "ticks"),
    [
        (0, BEGIN // 10**9),
        (3, BEGIN // 10**6),
        (9, BEGIN),
        (0x80 | 10, BEGIN * 1024 // 10**9),
    ],
)
def test_clocks(resolution, ticks):
    records, _ = read(section() + interface(resolution=resolution) + enhanced(ticks, b"x"))
    assert records[0][0] == BEGIN


def test_a_clocks_offset():
    data = section() + interface(resolution=9, offset=BEGIN // 10**9) + enhanced(5, b"x")
    assert read(data)[0][0][0] == BEGIN + 5


def test_a_finer_clock_than_ours():
    data = section() + interface(resolution=12, offset=BEGIN // 10**9) + enhanced(5999, b"x")
    assert read(data)[0][0][0] == BEGIN + 5


def test_sections_have_interfaces_of_their_own():
    data = section() + interface(link=1) + enhanced(1, b"a")
    data += section(">") + interface(">", link=101) + enhanced(2, b"b", order=">")
    assert [(link, frame) for _, link, frame, _ in read(data)[0]] == [(1, b"a"), (101, b"b")]


def test_rare_blocks():
    simple = block("<", 3, struct.pack("<I", 3) + b"abc\0")
    old = block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 7, 2, 9) + b"xy\0\0")
    unknown = block("<", 0x0BAD, bytes(8))
    records, _ = read(section() + interface() + unknown + simple + old)
    assert records == [(-1, 1, b"abc", 3), (7000, 1, b"xy", 9)]


def test_cut_packets_keep_their_length():
    records, _ = read(pcap(FRAMES, snap=60))
    assert max(len(data) for _, _, data, _ in records) == 60
    assert [wire for _, _, _, wire in records] == [len(frame) for _, frame in FRAMES]


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("missing", [1, 3, 17, 40])
def test_a_truncated_file_gives_what_comes_before(write, missing):
    records, capture = read(write(FRAMES)[:-missing])
    assert len(records) == len(FRAMES) - 1
    assert f"ends in the middle of packet {len(FRAMES)}" in str(capture.fault)


DAMAGED = {
    "packet too large": pcap(FRAMES[:1]) + struct.pack("<IIII", 0, 0, 1 << 30, 60),
    "block too small": pcapng(FRAMES[:1]) + struct.pack("<III", 6, 8, 0),
    "block too large": pcapng(FRAMES[:1]) + struct.pack("<III", 6, 1 << 31, 0),
    "no such interface": pcapng(FRAMES[:1]) + enhanced(1, b"x", number=1),
    "length beyond its block": pcapng(FRAMES[:1]) + block("<", 6, struct.pack("<5I", 0, 0, 0, 99, 99)),
    "interface too short": pcapng(FRAMES[:1]) + block("<", 1, b"\1\0\0\0"),
    "byte order": pcapng(FRAMES[:1]) + block("<", 0x0A0D0D0A, bytes(16)),
    "too many interfaces": pcapng(FRAMES[:1]) + interface() * 5000,
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_gives_what_comes_before(what):
    records, capture = read(DAMAGED[what])
    assert len(records) == 1
    assert "is damaged" in str(capture.fault)
    assert "packet 2" in str(capture.fault)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "x.pcap: is empty"),
        (b"\x28\xb5\x2f\xfd", r"compressed \(zstd\).*zstd -dc"),
        (b"\x1f\x8b\x08\0", "cannot be decompressed: it ends too early"),
        (b"\x1f\x8b\x07\0" + bytes(20), "cannot be decompressed: gzip: .*unknown compression method"),
        (gzip.compress(b"hello world", mtime=0), "is not a capture: it begins with 68656c6c"),
        (b"%PDF-1.7", "is not a capture: it begins with 25504446"),
        (b"ab", "is not a capture"),
        (struct.pack("<I", 0xA1B2CD34) + bytes(40), "is not a capture"),
    ],
)
def test_what_is_no_capture(data, said):
    with pytest.raises(InputError, match=said):
        CaptureFile(io.BytesIO(data), "x.pcap")


def test_a_file_that_is_not_there(tmp_path):
    with (
        pytest.raises(InputError, match=r"nothing\.pcap: cannot be read: No such file"),
        open_capture(str(tmp_path / "nothing.pcap")),
    ):
        pass
    with pytest.raises(InputError, match="Is a directory"), open_capture(str(tmp_path)):
        pass


@given(st.randoms(use_true_random=False), st.sampled_from([pcap, pcapng]), st.integers(1, 8))
def test_damage_anywhere_never_raises_anything_else(rng: random.Random, write, times):
    data = bytearray(write(FRAMES))
    for _ in range(times):
        data[rng.randrange(4, len(data))] = rng.randrange(256)
    records, _ = read(bytes(data[: rng.randrange(4, len(data) + 1)]))
    assert all(isinstance(frame, bytes) for _, _, frame, _ in records)
