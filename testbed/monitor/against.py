"""A monitor's samples and incidents against the truth: false alarms, what was missed, late onsets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from testbed.measurement.target import Target
from testbed.model import OUTSIDE
from testbed.monitor.diagnose import state_of
from testbed.monitor.incidents import Incident
from testbed.monitor.policystates import PolicyStates
from testbed.monitor.sample import INTERFERENCE, Sample, State
from testbed.scenario.story import PhaseSpan, Story
from testbed.world.scenarioclock import iso

_OK: frozenset[State] = frozenset({"ok"})


class ExpectedStates:
    """What is true of each vantage and target in each phase: as written, else as the rules give."""

    def __init__(self, story: Story, targets: Iterable[Target] = (), ipv: int = 4) -> None:
        """`targets`: those that are watched."""
        self._story = story
        self._policy = PolicyStates(story.scenario, targets, ipv)
        scenario = story.scenario
        self._said: dict[tuple[str, str, str], frozenset[State]] = {}
        for one in scenario.expect:
            if one.ipv in (None, ipv):
                states = {state_of(one.outcome), *(("ok",) if one.share else ())}
                self._said[one.phase, one.vantage, one.target.url] = frozenset(states)

    def at(self, phase: str, vantage: str, target: str) -> frozenset[State] | None:
        """The states that may be seen; None where nothing is written and the rules cannot be asked."""
        said = self._said.get((phase, vantage, target))
        if said is not None:
            return said
        if target in {control.url for control in self._story.scenario.controls} and vantage != OUTSIDE:
            return _OK
        return self._policy.at(phase, vantage, target)

    def since(self, time: datetime, vantage: str, target: str, state: State) -> datetime | None:
        """The beginning of the phases, up to the one at `time`, in which this state must be seen.

        Where a share of the flows meets it, it may be seen at any time: that has no onset.
        """
        begun = None
        for span in self._story.spans:
            if span.start > time:
                break
            there = self._means(span, vantage, target, state)
            begun = (begun or span.start) if there else None
        return begun

    def _means(self, span: PhaseSpan, vantage: str, target: str, state: State) -> bool:
        expected = self.at(span.phase, vantage, target)
        return expected is not None and state in expected and "ok" not in expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """How exactly the beginning of an incident was found."""

    vantage: str
    target: str
    kind: State
    true: str  # the phase's beginning, ISO 8601
    seen: str  # the first sample
    error: float  # seconds from the one to the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of all samples. Each text names time, vantage and target."""

    agreeing: int
    judged: int  # samples of which something is true that can be asked
    false_alarms: tuple[str, ...] = ()  # interference seen where there was none
    missed: tuple[str, ...] = ()  # interference that was there and not seen
    mistaken: tuple[str, ...] = ()  # another kind: an outage as a block, a refusal as an outage
    hung: tuple[str, ...] = ()  # the detector did not end in its time
    onsets: tuple[Onset, ...] = ()
    late: tuple[str, ...] = ()  # onsets found an interval or more after the truth

    @property
    def fine(self) -> bool:
        """Whether the monitor is as expected."""
        return not (self.false_alarms or self.missed or self.mistaken or self.hung or self.late)

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)


def compare(
    samples: Sequence[Sample],
    found: Iterable[Incident],
    expected: ExpectedStates,
    every: timedelta,
) -> Comparison:
    """Each sample against the truth; each onset against the beginning of its phase."""
    lists: dict[str, list[str]] = {"false_alarms": [], "missed": [], "mistaken": [], "hung": []}
    agreeing = judged = 0
    for one in samples:
        may = expected.at(one.phase, one.vantage, one.target)
        fault = _fault(one, may)
        judged += may is not None
        agreeing += may is not None and fault is None
        if fault is not None:
            lists[fault].append(_words(one, may))
    onsets = _onsets([one for one in found if one.kind in INTERFERENCE], expected)
    late = [
        f"{one.kind} at {one.target} from {one.vantage} since {one.true} was seen at {one.seen}"
        for one in onsets
        if one.error >= every.total_seconds()
    ]
    texts = {name: tuple(given) for name, given in lists.items()}
    return Comparison(agreeing=agreeing, judged=judged, onsets=tuple(onsets), late=tuple(late), **texts)


def _fault(one: Sample, may: frozenset[State] | None) -> str | None:
    if one.state == "hung":
        return "hung"
    alarm = one.state in INTERFERENCE
    if may is None:
        return None
    if one.state in may or (one.state == "blocked" and "slow" in may):
        return None  # a trickle that never gets through its handshake may be slow, or blocked
    if may == _OK or not alarm:
        if alarm:
            return "false_alarms"
        return "missed" if one.state == "ok" else "mistaken"
    return "mistaken"


def _words(one: Sample, may: frozenset[State] | None) -> str:
    should = f", not {' or '.join(sorted(may))}" if may else ""
    return f"{one.time} {one.target} from {one.vantage} is {one.state} ({one.label}){should}"


def _onsets(found: Sequence[Incident], expected: ExpectedStates) -> list[Onset]:
    """Of what a filter did to one target, if it began while it was watched.

    What was slow and is now blocked, or the other way round, is an onset only where a phase says so.
    """
    ends = {(one.vantage, one.target, one.last) for one in found}
    onsets = []
    for one in found:
        true = expected.since(moment_of(one.first), one.vantage, one.target, one.kind)
        if true is None or one.last_before is None:
            continue
        if moment_of(one.last_before) >= true and (one.vantage, one.target, one.last_before) in ends:
            continue
        error = (moment_of(one.first) - true).total_seconds()
        onsets.append(
            Onset(
                vantage=one.vantage,
                target=one.target,
                kind=one.kind,
                true=iso(true),
                seen=one.first,
                error=error,
            )
        )
    return onsets


def moment_of(text: str) -> datetime:
    """The time that `iso` wrote."""
    return datetime.fromisoformat(text)


def errors_of(onsets: Sequence[Onset]) -> Mapping[str, float]:
    """The largest and the middle error of some onsets, in seconds; nothing without onsets."""
    ordered = sorted(one.error for one in onsets)
    return {"largest": ordered[-1], "median": ordered[len(ordered) // 2]} if ordered else {}
