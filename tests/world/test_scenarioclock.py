"""The scenario's clock: shared by forked processes, at its own speed, never past the end of a phase."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from testbed.world.scenarioclock import ScenarioClock, iso

MARCH = datetime(2022, 3, 4, 8, tzinfo=UTC)


def test_unset_it_has_no_time():
    clock = ScenarioClock()
    assert (clock.now(), clock.text(), clock.skipped) == (None, "", 0.0)


def test_it_runs_at_its_speed_and_stops_at_the_end_of_the_phase():
    clock = ScenarioClock()
    before = time.monotonic()
    clock.set(MARCH, speed=3600.0, until=MARCH + timedelta(hours=2))
    at_once, later = clock.at(before + 1.0), clock.at(before + 100.0)
    assert at_once is not None
    assert timedelta(minutes=50) < at_once - MARCH <= timedelta(hours=1)
    assert later == MARCH + timedelta(hours=2)


def test_what_it_leaps_over_adds_up():
    clock = ScenarioClock()
    clock.set(MARCH, skipped=5.0)
    clock.set(MARCH, skipped=7.5)
    assert clock.skipped == 12.5


def test_a_process_that_was_forked_before_reads_what_is_set_after():
    clock = ScenarioClock()
    asked, answer = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(asked[0], 1)
        now = clock.now()
        os.write(answer[1], str(now and now.date()).encode())
        os._exit(0)
    clock.set(MARCH)
    os.write(asked[1], b"!")
    assert os.read(answer[0], 100) == b"2022-03-04"
    assert os.waitpid(child, 0)[1] == 0
    for file in (*asked, *answer):
        os.close(file)


@pytest.mark.parametrize(
    ("moment", "text"),
    [(MARCH, "2022-03-04T08:00:00Z"), (MARCH.replace(microsecond=250_400), "2022-03-04T08:00:00.250Z")],
)
def test_times_are_written_as_iso_8601(moment: datetime, text: str):
    assert iso(moment) == text
