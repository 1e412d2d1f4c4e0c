"""Phases on the scenario's own dates, of one scenario and of several."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from testbed.errors import InputError
from testbed.model import Phase, Scenario
from testbed.scenario.loader import load
from testbed.scenario.story import BETWEEN, story
from testbed.scenario.together import together


def day(number: int, hour: int = 0, month: int = 3) -> datetime:
    return datetime(2022, month, number, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def free() -> Scenario:
    return load("free-network")


def made(
    free: Scenario, name: str = "one", period: str = "2022-03-01/2022-03-31", **phases: Phase
) -> Scenario:
    return replace(free, name=name, period=period, phases=phases, expect=(), default_phase=next(iter(phases)))


def spans(*scenarios: Scenario, begin: datetime | None = None, until: datetime | None = None) -> list[tuple]:
    found = story(scenarios, begin, until).spans
    return [(span.phase, span.start, span.end) for span in found]


def test_a_gap_is_a_phase_in_which_nobody_filters(free: Scenario) -> None:
    one = made(free, a=Phase(start=day(1), end=day(2)), b=Phase(start=day(5), end=day(7)))
    assert spans(one) == [("a", day(1), day(2)), (BETWEEN, day(2), day(5)), ("b", day(5), day(7))]
    assert story([one]).scenario.phases[BETWEEN].placements == ()


def test_what_is_not_said_of_a_date(free: Scenario) -> None:
    one = made(free, before=Phase(end=day(2)), block=Phase(start=day(2)))
    assert spans(one) == [("before", day(1), day(2)), ("block", day(2), day(1, month=4))]
    alone = made(free, period="any", a=Phase(), b=Phase())
    assert spans(alone) == [("a", day(1, month=1), day(2, month=1)), ("b", day(2, month=1), day(3, month=1))]
    assert spans(alone, begin=day(9))[0] == ("a", day(9), day(10))
    mixed = made(free, a=Phase(start=day(1), end=day(2)), b=Phase())
    assert story([mixed]).left_out == ("b",)


def test_several_follow_each_other(free: Scenario) -> None:
    one = made(free, "one", a=Phase(start=day(1)))
    two = made(free, "two", "2022-03-04/2022-03-08", x=Phase(end=day(5)), y=Phase(start=day(5)))
    assert spans(one, two) == [
        ("one:a", day(1), day(4)),
        ("two:x", day(4), day(5)),
        ("two:y", day(5), day(9)),
    ]


@pytest.mark.parametrize(
    ("begin", "until", "expected"),
    [
        (day(2), None, [("a", day(2), day(3)), ("b", day(3), day(9))]),
        (day(4), day(5), [("b", day(4), day(5))]),
        (day(1), day(3), [("a", day(1), day(3))]),
    ],
)
def test_it_may_be_cut(free: Scenario, begin, until, expected) -> None:
    one = made(free, a=Phase(start=day(1), end=day(3)), b=Phase(start=day(3), end=day(9)))
    assert spans(one, begin=begin, until=until) == expected


@pytest.mark.parametrize(
    ("begin", "until", "said"),
    [
        (day(9), None, "--from: 2022-03-09 00:00 is out of the story; it goes from 2022-03-01 00:00 until"),
        (None, day(1), "--until: 2022-03-01 00:00 is out of the story; it goes from 2022-03-01 00:00 until"),
        (day(2), day(2), "--until: the end is not after the beginning; exchange --from and --until"),
    ],
)
def test_dates_out_of_the_story_are_refused(free: Scenario, begin, until, said: str) -> None:
    with pytest.raises(InputError) as error:
        spans(made(free, a=Phase(start=day(1), end=day(3))), begin=begin, until=until)
    assert said in str(error.value)


def test_overlaps_and_strangers_are_refused(free: Scenario) -> None:
    one = made(free, "one", a=Phase(start=day(1), end=day(4)))
    two = made(free, "two", b=Phase(start=day(3), end=day(5)))
    with pytest.raises(
        InputError, match="'one:a' lasts until 2022-03-04 00:00, and 'two:b' begins at 2022-03-03"
    ):
        story([one, two])
    with pytest.raises(InputError, match="one is named twice"):
        story([one, one])
    with pytest.raises(InputError, match="three has no dates; play it alone"):
        story([one, made(free, "three", c=Phase())])
    elsewhere = replace(two, world=replace(free.world, name="other"))
    with pytest.raises(InputError, match="one has the world 'runet', and two 'other'"):
        together([one, elsewhere])
    operator = replace(free.world.operators[0], hops=9)
    changed = replace(two, world=replace(free.world, operators=(operator,)))
    with pytest.raises(InputError, match=f"one and two have different operators called '{operator.key}'"):
        together([one, changed])


def test_the_threat_the_throttling_and_the_block_are_one_story() -> None:
    names = ["twitter-throttling-2021", "twitter-facebook-2022-02", "twitter-facebook-block-2022-03"]
    loaded = [load(name) for name in names]
    found = story(loaded)
    keys = {operator.key for operator in found.scenario.world.operators}
    assert {"rostelecom", "tele2", "yota", "ertelecom"} <= keys
    block = next(span for span in found.spans if span.phase == "twitter-facebook-block-2022-03:block")
    assert (found.at(day(4, 7)).phase, block.start) == ("twitter-facebook-2022-02:first-resets", day(4, 8))
    assert found.takes_part("tele2", "twitter-facebook-2022-02:twitter")
    assert not found.takes_part("tele2", "twitter-facebook-block-2022-03:block")
    phases = {one.phase for one in found.scenario.expect}
    assert phases == {f"{one.name}:{phase}" for one in loaded for phase in one.phases}
