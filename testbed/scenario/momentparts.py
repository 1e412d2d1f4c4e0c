"""Times in files, and whether those of a scenario's phases can be.

phases:
  announced: {title: announced, from: 2022-02-25 16:00, sources: {N4P#106: H}}
  crawl: {title: Twitter crawls, from: 2022-02-26 09:00, until: 2022-03-04 08:00, all: sni3}

Times are UTC. A phase without `until` lasts until the next one that has a time.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from testbed.model import Phase
from testbed.scenario.moments import after, moment
from testbed.scenario.phasetimes import overlaps
from testbed.scenario.problems import fault, shown
from testbed.scenario.sources import Sources

_EXAMPLES: Final = "write a day, 2022-02-26, or a time in UTC, 2022-02-26 09:00"


def _parsed(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value  # a year alone
    found = moment(text) if isinstance(text, str) else value
    if not isinstance(found, datetime):
        raise fault(f"{shown(value)} is not a time", _EXAMPLES)
    return found


Moment = Annotated[datetime, BeforeValidator(_parsed), WithJsonSchema({"type": "string"})]


def with_ends(phases: Mapping[str, Phase], period: str, sources: Sources) -> dict[str, Phase]:
    """The phases, each with its end where a later one gives it; notes the times that cannot be."""
    ended, known = dict(phases), len(sources.problems.found)
    dated = [name for name, phase in ended.items() if phase.start is not None]
    for index, name in enumerate(dated):
        following = dated[index + 1] if index + 1 < len(dated) else None
        _check_order(name, following, ended, sources)
        if following is not None and ended[name].end is None:
            ended[name] = replace(ended[name], end=ended[following].start)
    _check_period(ended, period, sources)
    if len(sources.problems.found) == known:
        _check_overlaps(ended, sources)
    return ended


def _check_order(name: str, following: str | None, phases: Mapping[str, Phase], sources: Sources) -> None:
    start, end = phases[name].start, phases[name].end
    assert start is not None
    if end is not None and end <= start:
        sources.add(("phases", name, "until"), "the phase ends before it begins", "exchange the times")
    if following is None:
        return
    begin = phases[following].start
    assert begin is not None
    if begin < start:
        message = f"the phase begins before {name!r}, which is above it"
        sources.add(("phases", following, "from"), message, "write phases in the order of their times")
    elif end is not None and begin < end:
        message = f"the phase begins before {name!r} ends"
        sources.add(("phases", following, "from"), message, f"let it begin at {end:%Y-%m-%d %H:%M} or later")


def _check_overlaps(phases: Mapping[str, Phase], sources: Sources) -> None:
    """Of phases that only say when they end; those with a beginning have been compared."""
    for first, second, said in overlaps(phases):
        open_ones = [name for name in (second, first) if phases[name].start is None]
        for name in open_ones[:1]:
            why = f"of a phase without 'from' the last day is played: {said}"
            sources.add(("phases", name, "until"), why, "give it a 'from', or change the times")


def _check_period(phases: Mapping[str, Phase], period: str, sources: Sources) -> None:
    begin, _, end = period.partition("/")
    first, last = moment(begin), after(end if "/" in period else begin)
    for name, phase in phases.items():
        for key, time in (("from", phase.start), ("until", phase.end)):
            early = first is not None and time is not None and time < first
            if early and not (key == "until" and phase.start is None):  # what was before the period
                sources.add(("phases", name, key), f"that is before the period, {period}", "widen 'period'")
            elif last is not None and time is not None and time > last:
                sources.add(("phases", name, key), f"that is after the period, {period}", "widen 'period'")
