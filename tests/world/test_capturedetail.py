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


def seen(pace: CapturePace, *steps: tuple[int, float]) -> list[CaptureDetail]:
    """What is recorded after each step: so many bytes were taken until then."""
    found = []
    for taken, now in steps:
        pace.note(taken, now)
        found.append(pace.detail)
    return found


def test_much_has_its_headers_and_more_is_recorded_in_part(pace: CapturePace) -> None:
    assert seen(pace, (90, 0.05), (90, 0.09), (30, 0.12), (30, 0.15), (300, 0.5)) == [
        CaptureDetail.WHOLE,
        CaptureDetail.HEADERS,  # 180 in a window
        CaptureDetail.HEADERS,
        CaptureDetail.SAMPLE,  # 60 of headers
        CaptureDetail.SAMPLE,
    ]
    assert pace.sampled


def test_what_goes_on_is_recorded_in_part_for_as_long(pace: CapturePace) -> None:
    seen(pace, (180, 0.05), (60, 0.1))
    assert {*seen(pace, *((20, 0.1 + step * 0.5) for step in range(1, 20)))} == {CaptureDetail.SAMPLE}


def test_little_is_whole_again_after_two_seconds(pace: CapturePace) -> None:
    seen(pace, (180, 0.05), (60, 0.1))
    assert seen(pace, (5, 0.6), (4, 1.15), (30, 1.5), (30, 2.2)) == [
        CaptureDetail.SAMPLE,
        CaptureDetail.HEADERS,  # 9 in a second
        CaptureDetail.HEADERS,
        CaptureDetail.WHOLE,  # 60 of headers in a second
    ]


def test_headers_are_enough_where_they_are_little(pace: CapturePace) -> None:
    pace.note(180, 0.05)
    assert {*seen(pace, *((30, 0.05 + step * 0.11) for step in range(1, 30)))} == {CaptureDetail.HEADERS}
    assert not pace.sampled
