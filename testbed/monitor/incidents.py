"""From samples to incidents: since when, until when, and how sure that is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from testbed.monitor.sample import Sample, State

_OF_AN_OPERATOR: tuple[State, ...] = ("outage", "portal")
_OF_A_CELL: tuple[State, ...] = ("slow", "blocked", "refused", "hung")
EVERYWHERE = ""  # vantage of a site that is down, target of an operator that is out


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A state that lasted: it began after `last_before` and not later than `first`, and ended likewise."""

    kind: State
    vantage: str  # "" for all
    target: str  # URL; "" for all
    labels: tuple[str, ...]
    last_before: str | None  # time of the last sample without it; None: it was there from the start
    first: str
    last: str
    first_after: str | None  # None: it lasted to the end
    samples: int
    phase: str  # in which it was first seen

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)


def incidents(samples: Iterable[Sample]) -> tuple[Incident, ...]:
    """Every incident, by its time. An outage or a portal is its operator's, one that is down the site's."""
    every = list(samples)
    times = sorted({one.time for one in every})
    found: list[Incident] = []
    for kind in _OF_AN_OPERATOR:
        for vantage in dict.fromkeys(one.vantage for one in every if one.state == kind):
            mine = [one for one in every if one.vantage == vantage]
            found += _runs(kind, vantage, EVERYWHERE, mine, times)
    for target in dict.fromkeys(one.target for one in every if one.state == "down"):
        mine = [one for one in every if one.target == target]
        found += _runs("down", EVERYWHERE, target, mine, times)
    by_cell: dict[tuple[str, str], list[Sample]] = {}
    for one in every:
        by_cell.setdefault((one.vantage, one.target), []).append(one)
    for (vantage, target), cell in by_cell.items():
        for kind in _OF_A_CELL:
            found += _runs(kind, vantage, target, cell, [one.time for one in cell])
    return tuple(sorted(found, key=lambda one: (one.first, one.vantage, one.target)))


def _runs(
    kind: State, vantage: str, target: str, samples: Sequence[Sample], times: Sequence[str]
) -> Iterator[Incident]:
    """The uninterrupted runs of a state among these samples; several may be of one time."""
    bad: dict[str, list[Sample]] = {}
    for one in samples:
        if one.state == kind:
            bad.setdefault(one.time, []).append(one)
    marked = [(time in bad, number, time) for number, time in enumerate(times)]
    for is_bad, group in groupby(marked, key=lambda one: one[0]):
        run = list(group)
        if not is_bad:
            continue
        first, last = run[0][1], run[-1][1]
        seen = [one for _, _, time in run for one in bad[time]]
        yield Incident(
            kind=kind,
            vantage=vantage,
            target=target,
            labels=tuple(dict.fromkeys(one.label for one in seen)),
            last_before=times[first - 1] if first else None,
            first=times[first],
            last=times[last],
            first_after=times[last + 1] if last + 1 < len(times) else None,
            samples=len(seen),
            phase=seen[0].phase,
        )
