"""When a monitor measures."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from testbed.errors import InputError
from testbed.scenario.story import Story

SHORTEST: Final = timedelta(minutes=15)  # our choice: no longer than a sample takes at its slowest
_USUAL: Final = tuple(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 72, 168, 720))
_MOST_BY_ITSELF: Final = 48  # instants, if nobody says how many; our choice: a quarter of an hour at most
MOST: Final = 20_000  # instants; our choice


def instants(story: Story, every: timedelta) -> tuple[datetime, ...]:
    """The times from the story's beginning on, `every` so often, before its end.

    Errors: InputError for an interval that is too short or longer than the story.
    """
    whole = story.end - story.start
    if every < SHORTEST:
        raise InputError.at("--every", f"{every} is too short", f"give {SHORTEST} or more")
    if every > whole:
        raise InputError.at("--every", f"{every} is longer than the story, {whole}", "give a shorter one")
    if whole / every > MOST:
        raise InputError.at("--every", f"{every} makes more than {MOST} samples", "give a longer one")
    return tuple(_series(story.start, story.end, every))


def usual_interval(story: Story) -> timedelta:
    """The shortest usual interval that does not make too many instants."""
    whole = story.end - story.start
    fitting = [every for every in _USUAL if whole / every <= _MOST_BY_ITSELF]
    return fitting[0] if fitting else _USUAL[-1]


def _series(start: datetime, end: datetime, every: timedelta) -> Iterator[datetime]:
    time = start
    while time < end:
        yield time
        time += every
