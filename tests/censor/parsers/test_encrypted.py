"""The five exemptions of Wu et al., each alone on bytes that would be taken without it."""

import random

import pytest

from testbed.censor.parsers import MORE
from testbed.censor.parsers.encrypted import recognise
from testbed.censor.parsers.message import Message

RANDOM = b"\x80" + random.Random(11).randbytes(299)
TAKEN = Message("data")


def test_random_bytes_are_taken() -> None:
    rng = random.Random(3)
    taken = sum(recognise(rng.randbytes(400)) == TAKEN for _ in range(300))
    assert taken >= 290
    assert recognise(RANDOM) == TAKEN
    assert recognise(b"") is MORE


@pytest.mark.parametrize(
    ("byte", "taken"), [(0x80, False), (0x0F, True), (0xFE, False), (0x8F, False), (0x87, True)]
)
def test_bits_per_byte(byte: int, taken: bool) -> None:
    assert (recognise(bytes([byte]) * 100) == TAKEN) is taken


@pytest.mark.parametrize(
    ("start", "taken"),
    [
        (b"abcdef", False),
        (b"abcde\x80", True),
        (b"\x16\x03\x01", False),
        (b"\x16\x03\x0a", True),
        (b"GET ", False),
    ],
)
def test_beginnings(start: bytes, taken: bool) -> None:
    assert (recognise(start + RANDOM) == TAKEN) is taken


@pytest.mark.parametrize(("run", "taken"), [(20, True), (21, False)])
def test_printable_run(run: int, taken: bool) -> None:
    assert (recognise(RANDOM + b"\x80" + b"a1Zs5Kq_" * 2 + b"b2Yt6"[: run - 16] + b"\x80") == TAKEN) is taken


@pytest.mark.parametrize(
    ("unit", "taken"),
    [
        (b"\x6b\x87", True),
        (b"\x6b\x35\x87", False),
        (b"\x1f\x1f\x8c", True),  # 0x20 to 0x7e are printable
        (b"   \xff\xff", False),
        (b"\x7e\x7e\x01", False),
        (b"\x7f\x7f\x7f\0\0", True),
    ],
)
def test_share_of_printable_bytes(unit: bytes, taken: bool) -> None:
    assert (recognise(unit * 100) == TAKEN) is taken
