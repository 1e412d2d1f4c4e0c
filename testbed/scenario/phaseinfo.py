"""What a scenario says of its phases besides their censors: title, time, sources, notes.

phases:
  announced: {title: announced, from: 2022-02-25 16:00, sources: {N4P#106: H}}
  crawl: {title: Twitter crawls, from: 2022-02-26 09:00, until: 2022-03-04 08:00, all: sni3}

Times are UTC. A phase without `until` lasts until the next one that has a time.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from testbed.model import PhaseInfo
from testbed.scenario.invalid import INVALID
from testbed.scenario.problems import fault, shown
from testbed.scenario.sources import Sources

PHASE_KEYS: Final = ("title", "from", "until", "sources", "notes")  # no operator has such a key
_FORMS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m", "%Y")
_EXAMPLES: Final = "write a day, 2022-02-26, or a time in UTC, 2022-02-26 09:00"


def moment(text: str) -> datetime | None:
    """The time, in UTC; None if the text is none. A day, month or year alone means its beginning."""
    for form in _FORMS:
        with contextlib.suppress(ValueError):
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
            if found.strftime(form) == text:
                return found
    return None


def _parsed(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value  # a year alone
    found = moment(text) if isinstance(text, str) else value
    if not isinstance(found, datetime):
        raise fault(f"{shown(value)} is not a time", _EXAMPLES)
    return found


Moment = Annotated[datetime, BeforeValidator(_parsed), WithJsonSchema({"type": "string"})]


def phase_infos(parts: Mapping[str, Any], period: str, sources: Sources) -> dict[str, PhaseInfo]:
    """What is said of each phase; notes the times that cannot be."""
    infos = {
        name: PhaseInfo(part.title, part.start, part.until, dict(part.sources), part.notes.strip())
        for name, part in parts.items()
        if part is not INVALID
    }
    dated = [name for name, info in infos.items() if info.start is not None]
    for index, name in enumerate(dated):
        following = dated[index + 1] if index + 1 < len(dated) else None
        _check_order(name, following, infos, sources)
        if following is not None and infos[name].end is None:
            infos[name] = replace(infos[name], end=infos[following].start)
    _check_period(infos, period, sources)
    return infos


def _check_order(name: str, following: str | None, infos: Mapping[str, PhaseInfo], sources: Sources) -> None:
    start, end = infos[name].start, infos[name].end
    assert start is not None
    if end is not None and end <= start:
        sources.add(("phases", name, "until"), "the phase ends before it begins", "exchange the times")
    if following is None:
        return
    begin = infos[following].start
    assert begin is not None
    if begin < start:
        message = f"the phase begins before {name!r}, which is above it"
        sources.add(("phases", following, "from"), message, "write phases in the order of their times")
    elif end is not None and begin < end:
        message = f"the phase begins before {name!r} ends"
        sources.add(("phases", following, "from"), message, f"let it begin at {end:%Y-%m-%d %H:%M} or later")


def _check_period(infos: Mapping[str, PhaseInfo], period: str, sources: Sources) -> None:
    begin, _, end = period.partition("/")
    first, last = moment(begin), _after(end if "/" in period else begin)
    for name, info in infos.items():
        for key, time in (("from", info.start), ("until", info.end)):
            early = first is not None and time is not None and time < first
            if early and not (key == "until" and info.start is None):  # what was before the period
                sources.add(("phases", name, key), f"that is before the period, {period}", "widen 'period'")
            elif last is not None and time is not None and time > last:
                sources.add(("phases", name, key), f"that is after the period, {period}", "widen 'period'")


def _after(text: str) -> datetime | None:
    """The end of a day, month or year; None if the text is none."""
    begin = moment(text)
    if begin is None:
        return None
    if len(text) == len("2022"):
        return begin.replace(year=begin.year + 1)
    if len(text) == len("2022-03"):
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + timedelta(days=1)
