"""When phases were, who says so, and which times are refused."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from testbed.errors import InputError
from testbed.model import Phase
from testbed.run.choose import phase_of
from testbed.scenario.story import story
from testbed.scenario.summary import phase_lines
from testbed.scenario.tojson import to_json
from tests.scenario.conftest import SCENARIO, Desk

PERIOD = "period: 2022-02-25/2022-03-04"
PHASES = """\
phases:
  before: {title: nothing yet, until: 2022-02-25 16:00}
  announced: {from: 2022-02-25 16:00, sources: {N4P#106: H}}
  block:
    from: 2022-02-26 09:00
    until: 2022-03-04 08:00
    sources: {OONI22: H, REU: M}
    notes: The press says the 24th.
    mts: tspu
default_phase: block
"""


def write(desk: Desk, phases: str = PHASES, period: str = PERIOD) -> None:
    head, _, rest = SCENARIO.partition("phases:")
    expect = rest[rest.index("expect:") :]
    given = next(line for line in head.splitlines() if line.startswith("period:"))
    desk.path.write_text(head.replace(given, period) + phases + expect)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_phase_lasts_until_the_next_one(desk: Desk) -> None:
    write(desk)
    phases = desk.load().phases
    assert [place.name for place in phases["block"].placements] == ["mts/tspu"]
    assert {name: replace(phase, placements=()) for name, phase in phases.items()} == {
        "before": Phase(title="nothing yet", end=utc(2022, 2, 25, 16)),
        "announced": Phase(start=utc(2022, 2, 25, 16), end=utc(2022, 2, 26, 9), sources={"N4P#106": "H"}),
        "block": Phase(
            start=utc(2022, 2, 26, 9),
            end=utc(2022, 3, 4, 8),
            sources={"OONI22": "H", "REU": "M"},
            notes="The press says the 24th.",
        ),
    }


@pytest.mark.parametrize(
    ("asked", "phase"),
    [
        ("2021", "before"),
        ("2022-02-25 15:59", "before"),
        ("2022-02-25 16:00", "announced"),
        ("2022-02-26", "announced"),
        ("2022-02-27", "block"),
        ("announced", "announced"),
        (None, "block"),
    ],
)
def test_a_phase_is_found_by_a_time(desk: Desk, asked: str | None, phase: str) -> None:
    write(desk)
    assert phase_of(desk.load(), asked) == phase


@pytest.mark.parametrize("asked", ["2022-03-04 08:00", "2023"])
def test_a_time_without_a_phase_is_refused(desk: Desk, asked: str) -> None:
    write(desk)
    with pytest.raises(InputError, match=f"--phase: no phase of x has the time {asked}; see testbed show x"):
        phase_of(desk.load(), asked)


def test_phases_without_times_have_none(desk: Desk) -> None:
    assert desk.load().phase_at(utc(2022, 3, 1)) is None


def test_it_is_shown_and_in_the_json(desk: Desk) -> None:
    write(desk)
    scenario = desk.load()
    assert phase_lines(scenario.phases["block"]) == [
        "from 2022-02-26 09:00 until 2022-03-04 08:00 UTC",
        "sources: OONI22 (H), REU (M)",
        "The press says the 24th.",
    ]
    phase = to_json(scenario)["phases"]["announced"]
    assert {key: phase[key] for key in ("from", "until", "sources", "notes")} == {
        "from": "2022-02-25T16:00:00+00:00",
        "until": "2022-02-26T09:00:00+00:00",
        "sources": {"N4P#106": "H"},
        "notes": "",
    }


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("2022-02-25 16:00, sources", "yesterday, sources", "announced.from", "'yesterday' is not a time"),
        ("2022-02-25 16:00, sources", "2022-02-30, sources", "announced.from", "'2022-02-30' is not a time"),
        ("until: 2022-03-04 08:00", "until: 2022-02-26 08:00", "block.until", "ends before it begins"),
        ("16:00, s", "16:00, until: 2022-02-27, s", "block.from", "begins before 'announced' ends"),
        ("from: 2022-02-26 09:00", "from: 2022-02-25", "block.from", "begins before 'announced', which"),
        ("from: 2022-02-25 16:00, s", "from: 2022-02-24, s", "announced.from", "that is before the period"),
        ("until: 2022-03-04 08:00", "until: 2022-03-05 08:00", "block.until", "that is after the period"),
        ("REU: M", "REU: X", "block.sources.REU", "'X' is not one of"),
    ],
)
def test_a_time_that_cannot_be_is_named(desk: Desk, old: str, new: str, place: str, message: str) -> None:
    assert old in PHASES
    write(desk, PHASES.replace(old, new))
    problem = desk.problem()
    assert f"phases.{place}" in problem.place
    assert message in problem.message
    assert problem.remedy


@pytest.mark.parametrize(
    ("phases", "place", "said"),
    [
        (
            "  a: {from: 2022-03-01, until: 2022-03-20}\n  block: {mts: tspu, until: 2022-03-10}\n",
            "x.yaml:14 phases.block.until",
            "phase 'a' lasts until 2022-03-20 00:00, and 'block' begins at 2022-03-09 00:00",
        ),
        (
            "  block: {mts: tspu, until: 2022-03-10}\n  a: {from: 2022-03-09 12:00, until: 2022-03-20}\n",
            "x.yaml:13 phases.block.until",
            "phase 'block' lasts until 2022-03-10 00:00, and 'a' begins at 2022-03-09 12:00",
        ),
        (
            "  block: {mts: tspu, until: 2022-03-10}\n  a: {until: 2022-03-10 12:00}\n",
            "x.yaml:14 phases.a.until",
            "phase 'block' lasts until 2022-03-10 00:00, and 'a' begins at 2022-03-09 12:00",
        ),
    ],
)
def test_a_phase_that_only_ends_lies_in_no_other(desk: Desk, phases: str, place: str, said: str) -> None:
    problem = desk.problem("  free: {}\n  block: {mts: tspu}\n", phases)
    assert problem.place == place
    assert problem.message == f"of a phase without 'from' the last day is played: {said}"
    assert problem.remedy == "give it a 'from', or change the times"


TWO = "  free: {}\n  block: {mts: tspu}\n"


def test_phases_that_only_end_may_follow_each_other(desk: Desk) -> None:
    phases = "  a: {from: 2022-03-01, until: 2022-03-09 12:00}\n  block: {mts: tspu, until: 2022-03-10}\n"
    assert [span.phase for span in story([desk.load(TWO, phases)]).spans] == ["a", "block"]


def test_the_last_year(desk: Desk) -> None:
    text = SCENARIO.replace("period: 2022", "period: 9998")
    desk.path.write_text(text.replace(TWO, "  free: {}\n  block: {mts: tspu, from: 9998-12-31}\n"))
    assert desk.load().phases["block"].start == datetime(9998, 12, 31, tzinfo=UTC)
