"""When phases that have a date begin, and whether two of them would be at the same time."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from testbed.model import Phase

LEAD: Final = timedelta(days=1)  # length of a phase of which an end, or both, are unknown; our choice
MINUTES: Final = "%Y-%m-%d %H:%M"


class DatedPhase(NamedTuple):
    """A phase with the time at which it begins."""

    start: datetime
    name: str


def in_order(phases: Mapping[str, Phase]) -> list[DatedPhase]:
    """Those with a date, by their beginnings."""
    dated = {name: phase for name, phase in phases.items() if phase.start or phase.end}
    return sorted(
        (DatedPhase(_start(phase, dated), name) for name, phase in dated.items()), key=lambda one: one.start
    )


def overlaps(phases: Mapping[str, Phase]) -> Iterator[tuple[str, str, str]]:
    """Two phases of which the second begins before the first ends, and that in words."""
    for (_, name), (following, other) in pairwise(in_order(phases)):
        end = phases[name].end or following
        if end > following:
            said = (
                f"phase '{name}' lasts until {end:{MINUTES}}, and '{other}' begins at {following:{MINUTES}}"
            )
            yield name, other, said


def _start(phase: Phase, dated: Mapping[str, Phase]) -> datetime:
    """When it begins; a phase that only says when it ends follows what has ended before."""
    if phase.start is not None:
        return phase.start
    assert phase.end is not None, "it has a date"
    over = [other.end for other in dated.values() if other.start and other.end and other.end < phase.end]
    return max([phase.end - LEAD, *over])
