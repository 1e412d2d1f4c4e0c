"""When a recorder asks for less, and for more again. The programs themselves run in test_ring.py."""

import socket
from collections.abc import Iterator

import pytest

from testbed.world.capturedetail import CaptureDetail, CapturePace

FAST = 1000.0  # bytes per second: 100 in a window of whole packets, 33 in one of headers


@pytest.fixture
def pace() -> Iterator[CapturePace]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:  # takes a filter from anybody
        yield CapturePace([one], FAST, 0.0)


def test_little_is_recorded_whole(pace: CapturePace) -> None:
    for step in range(1, 50):
        pace.note(90, step * 0.11)
    assert (pace.detail, pace.sampled) == (CaptureDetail.WHOLE, False)


def test_much_with_its_headers_then_in_part_and_whole_again_after_a_second(pace: CapturePace) -> None:
    seen = []
    for taken, now in ((90, 0.05), (90, 0.09), (30, 0.12), (30, 0.15), (30, 0.5), (0, 1.14), (0, 1.16)):
        pace.note(taken, now)
        seen.append(pace.detail)
    assert seen == [
        CaptureDetail.WHOLE,
        CaptureDetail.HEADERS,  # 180 in a window
        CaptureDetail.HEADERS,
        CaptureDetail.SAMPLE,  # 60 of headers
        CaptureDetail.SAMPLE,
        CaptureDetail.SAMPLE,
        CaptureDetail.WHOLE,
    ]
    assert pace.sampled


def test_headers_are_enough_where_they_are_little(pace: CapturePace) -> None:
    pace.note(180, 0.05)
    for step in range(1, 9):
        pace.note(30, 0.05 + step * 0.11)
    assert (pace.detail, pace.sampled) == (CaptureDetail.HEADERS, False)
    pace.note(30, 1.06)
    assert pace.detail is CaptureDetail.WHOLE
