"""How fast a transfer was, by when its bytes came."""

import pytest

from testbed.truth.arrivals import Arrival, SeenTransfer
from testbed.truth.timeline import Timeline
from tests.truth.timelines import fine


def test_the_rate_of_a_long_transfer_is_without_its_first_second():
    later = [Arrival(10 + second, 1000.0) for second in (2, 4, 6, 8)]
    found = SeenTransfer.of([Arrival(10.1, 50_000.0), *later], 10.0, 20.0)
    assert (found.bytes, found.seconds) == (54_000, 10)
    assert found.rate == pytest.approx(8 * 4000 / (20 - 11.1))


def test_a_transfer_of_less_than_three_seconds_is_averaged():
    came = [Arrival(0.1, 1000.0), Arrival(2.5, 1000.0)]
    assert SeenTransfer.of(came, 0.0, 2.9).rate == pytest.approx(8 * 2000 / 2.9)
    assert SeenTransfer.of(came, 0.0, 3.0).rate == pytest.approx(8 * 1000 / (3.0 - 1.1))
    assert SeenTransfer.of([Arrival(2.0, 1000.0)], 0.0, 3.0).rate == pytest.approx(8 * 1000 / 3), "no rest"


def test_what_came_before_the_request_is_no_part_of_its_answer():
    assert Timeline(fine(reads=[0.05, 0.15, 0.18])).transfer.bytes == 1000
