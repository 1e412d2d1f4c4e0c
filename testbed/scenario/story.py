"""Phases on the scenario's own dates: one scenario, or several that follow each other in one world.

Nothing here waits or reads a clock: dates in, dates out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from testbed.errors import InputError
from testbed.model import Phase, Scenario
from testbed.scenario.moments import after, moment
from testbed.scenario.phasetimes import LEAD, in_order, overlaps
from testbed.scenario.together import together

BETWEEN: Final = "between"  # name of the phase that is added where no phase has a time: nobody filters
UNDATED: Final = datetime(2022, 1, 1, tzinfo=UTC)  # when a scenario without any date begins; our choice
_DATE: Final = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """A phase and when it is played: from `start` until just before `end`, UTC."""

    phase: str
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it lasts, in seconds of the scenario."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Story:
    """A scenario, and its phases without a gap or an overlap, in the order of time."""

    scenario: Scenario
    spans: tuple[PhaseSpan, ...]
    left_out: tuple[str, ...] = ()  # phases without a date, beside others that have one
    operators: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by phase, if not all take part

    def takes_part(self, operator: str, phase: str) -> bool:
        """Whether the scenario of this phase says anything of the operator."""
        return operator in self.operators.get(phase, (operator,))

    @property
    def start(self) -> datetime:
        """When it begins."""
        return self.spans[0].start

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.spans[-1].end

    def at(self, time: datetime) -> PhaseSpan:
        """The span that `time` lies in; KeyError if the story has no such time."""
        for span in self.spans:
            if span.start <= time < span.end:
                return span
        raise KeyError(f"{time:{_DATE}}")


def story(
    scenarios: Sequence[Scenario], begin: datetime | None = None, until: datetime | None = None
) -> Story:
    """The story of these scenarios, cut to what lies from `begin` until `until`.

    A phase ends where the next one begins unless it says when, the last one with its scenario's period. Of a
    phase that says only when it ends, the last day is played, and a day of each phase where none has a date.

    Errors: InputError for phases that overlap, scenarios that do not fit together, dates out of the story.
    """
    joined = together(scenarios)
    dated = {name: phase for name, phase in joined.phases.items() if phase.start or phase.end}
    if not dated:
        if len(scenarios) > 1:
            raise InputError.at("NAME", "none of these scenarios has dates", "play them one at a time")
        spans = list(_day_by_day(joined, begin))
    else:
        _must_have_dates(scenarios)
        spans = list(_in_order(dated, scenarios))
    scenario = joined
    if any(span.phase == BETWEEN for span in spans) and BETWEEN not in joined.phases:
        free = Phase(title="no phase has this time: nobody filters")
        scenario = replace(joined, phases={**joined.phases, BETWEEN: free})
    left_out = tuple(name for name in joined.phases if name not in dated) if dated else ()
    return Story(scenario, tuple(_cut(spans, begin, until)), left_out, _operators(scenarios))


def _operators(scenarios: Sequence[Scenario]) -> dict[str, frozenset[str]]:
    """Of several scenarios, who takes part in each phase: the joined world has more."""
    return {
        f"{one.name}:{phase}": frozenset(operator.key for operator in one.world.operators)
        for one in (scenarios if len(scenarios) > 1 else ())
        for phase in one.phases
    }


def _must_have_dates(scenarios: Sequence[Scenario]) -> None:
    for one in scenarios:
        if not any(phase.start or phase.end for phase in one.phases.values()):
            raise InputError.at("NAME", f"{one.name} has no dates", "play it alone")


def _day_by_day(scenario: Scenario, begin: datetime | None) -> Iterator[PhaseSpan]:
    start = begin or moment(scenario.period.partition("/")[0]) or UNDATED
    for number, name in enumerate(scenario.phases):
        yield PhaseSpan(name, start + number * LEAD, start + (number + 1) * LEAD)


def _in_order(dated: Mapping[str, Phase], scenarios: Sequence[Scenario]) -> Iterator[PhaseSpan]:
    begun = in_order(dated)
    for _, _, said in overlaps(dated):
        raise InputError.at("NAME", f"they overlap: {said}", "name scenarios that follow each other")
    for (start, name), (following, _) in pairwise(begun):
        end = dated[name].end or following
        yield PhaseSpan(name, start, end)
        if end < following:
            yield PhaseSpan(BETWEEN, end, following)
    start, name = begun[-1]
    owner = next((one for one in scenarios if name.startswith(f"{one.name}:")), scenarios[0])
    period = after(owner.period.rpartition("/")[2])
    last = dated[name].end or (period if period and period > start else start + LEAD)
    yield PhaseSpan(name, start, last)


def _cut(spans: Sequence[PhaseSpan], begin: datetime | None, until: datetime | None) -> Iterator[PhaseSpan]:
    """What lies between the two times; InputError if one is out of the story."""
    first, last = spans[0].start, spans[-1].end
    said = f"it goes from {first:{_DATE}} until {last:{_DATE}}"
    if begin is not None and not first <= begin < last:
        raise InputError.at("--from", f"{begin:{_DATE}} is out of the story", said)
    if until is not None and not first < until <= last:
        raise InputError.at("--until", f"{until:{_DATE}} is out of the story", said)
    begin, until = begin or first, until or last
    if begin >= until:
        raise InputError.at("--until", "the end is not after the beginning", "exchange --from and --until")
    for span in spans:
        start, end = max(span.start, begin), min(span.end, until)
        if start < end:
            yield PhaseSpan(span.phase, start, end)
