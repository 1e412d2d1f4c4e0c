"""What has been seen of a run until now, as a pure reducer: lines of its folder in, a bounded state out."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

RECENT: Final = 60  # flows that are remembered one by one; our choice
MOST_FLOWS_SEEN: Final = 50_000  # that are known by name; our choice: bounds memory
MOST_RULES: Final = 1_000
POINTS: Final = 240  # of a rate curve: a minute at the meter's pace
_MOST_NOTES = 20


@dataclass(slots=True)
class FiredRule:
    """A rule that was triggered: how often, when last, by what."""

    rule: str  # "mts/tspu/rule"
    times: int = 0
    last: float = 0.0  # seconds since the run's start
    name: str = ""  # what it read, the last time
    flow: str = ""
    action: str = ""
    limit: float | None = None  # bit/s, of a policer or a shaper


@dataclass(frozen=True, slots=True)
class SeenFlow:
    """A flow that triggered a rule, or that the probe opened."""

    t: float
    flow: str
    vantage: str
    rule: str  # "" : none, as far as is known
    name: str
    kind: str  # of the event; "measured" of a measurement
    outcome: str = ""  # of a measurement: "ok", or how it failed


@dataclass(slots=True)
class AtVantage:
    """Counts of one vantage."""

    flows: int = 0
    fired: int = 0
    measured: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RatePoint:
    """What passed an interface in one interval of the meter, bit/s."""

    t: float
    received: float
    sent: float


@dataclass(slots=True)
class LiveState:
    """Everything that a live view shows. Bounded, however much happens."""

    t: float = 0.0  # of the latest line, seconds since the run's start
    vantages: dict[str, AtVantage] = field(default_factory=dict)
    rules: dict[str, FiredRule] = field(default_factory=dict)
    recent: deque[SeenFlow] = field(default_factory=lambda: deque(maxlen=RECENT))
    rates: dict[str, deque[RatePoint]] = field(default_factory=dict)  # "mts.hop2:in" -> its curve
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_NOTES))  # faults, losses
    events: int = 0
    uncounted: int = 0  # flows and rules beyond what is remembered
    _flows: set[str] = field(default_factory=set)

    @classmethod
    def at(cls, vantages: Sequence[str]) -> "LiveState":
        """The empty state of a run with these vantages."""
        return cls(vantages={one: AtVantage() for one in vantages})

    def note_event(self, event: Mapping[str, Any]) -> None:
        """A line of events.jsonl."""
        self.events += 1
        self.t = max(self.t, _number(event.get("t")))
        kind, censor = str(event.get("kind", "")), str(event.get("censor", ""))
        raw = event.get("detail")
        detail: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        if kind in ("fault", "overflow", "evict"):
            self.notes.append(f"{censor}: {kind} {detail.get('what', '')}".strip())
            return
        if kind not in ("match", "miss", "unread"):
            return
        flow, rule = str(event.get("flow", "")), f"{censor}/{event.get('rule', '')}"
        name = str(detail.get("name") or "")
        vantage = censor.partition("/")[0]  # a censor is an operator's
        self._count(flow, vantage)
        if kind == "match":
            self._at(vantage).fired += 1
            self._fire(rule, flow, name, detail)
        self.recent.append(SeenFlow(self.t, flow, vantage, rule, name, kind))

    def note_measurement(self, line: Mapping[str, Any], started_at: float) -> None:
        """A line of results.jsonl. `started_at`: the run's start on the kernel's monotonic clock."""
        raw_keys, raw_notes = line.get("test_keys"), line.get("annotations")
        keys: Mapping[str, Any] = raw_keys if isinstance(raw_keys, dict) else {}
        notes: Mapping[str, Any] = raw_notes if isinstance(raw_notes, dict) else {}
        vantage, failure = str(notes.get("vantage", "")), keys.get("failure")
        at = self._at(vantage)
        at.measured += 1
        at.failed += failure is not None
        flows = [str(one) for one in keys.get("x_flows") or ()]
        for flow in flows:
            self._count(flow, vantage)
        began, seconds = _number(line.get("x_monotonic")), _number(line.get("test_runtime"))
        t = began - started_at + seconds if began else self.t
        self.t = max(self.t, t)
        outcome = "ok" if failure is None else str(failure)
        last = flows[-1] if flows else ""
        self.recent.append(SeenFlow(t, last, vantage, "", str(line.get("input", "")), "measured", outcome))

    def note_rates(self, line: Mapping[str, Any]) -> None:
        """A line of rates.jsonl."""
        t, seconds = _number(line.get("t")), _number(line.get("seconds"))
        raw = line.get("bytes")
        if seconds <= 0 or not isinstance(raw, dict):
            return
        self.t = max(self.t, t)
        now = {
            f"{node}:{name}": pair
            for node, interfaces in raw.items()
            if isinstance(interfaces, dict)
            for name, pair in interfaces.items()
            if isinstance(pair, list) and len(pair) == 2
        }
        for key in {*self.rates, *now}:
            received, sent = now.get(key, (0, 0))
            curve = self.rates.setdefault(key, deque(maxlen=POINTS))
            if not curve and t > seconds:
                curve.append(RatePoint(round(t - seconds, 3), 0.0, 0.0))
            curve.append(
                RatePoint(t, round(_number(received) * 8 / seconds), round(_number(sent) * 8 / seconds))
            )

    def rate(self, key: str) -> RatePoint:
        """The latest of an interface ("mts:eth0"); zero where nothing has passed."""
        curve = self.rates.get(key)
        return curve[-1] if curve else RatePoint(self.t, 0.0, 0.0)

    def _fire(self, rule: str, flow: str, name: str, detail: Mapping[str, Any]) -> None:
        fired = self.rules.get(rule)
        if fired is None:
            if len(self.rules) >= MOST_RULES:
                self.uncounted += 1
                return
            fired = self.rules[rule] = FiredRule(rule)
        fired.times += 1
        fired.last, fired.name, fired.flow = self.t, name, flow
        fired.action = str(detail.get("action") or fired.action)
        fired.limit = _limit(detail.get("handover")) or fired.limit

    def _count(self, flow: str, vantage: str) -> None:
        if not flow or flow in self._flows:
            return
        if len(self._flows) >= MOST_FLOWS_SEEN:
            self.uncounted += 1
            return
        self._flows.add(flow)
        self._at(vantage).flows += 1

    def _at(self, vantage: str) -> AtVantage:
        if vantage not in self.vantages and len(self.vantages) > MOST_RULES:
            return AtVantage()
        return self.vantages.setdefault(vantage, AtVantage())


def _limit(handover: object) -> float | None:
    """The configured bit/s of what the kernel was given."""
    for given in handover.values() if isinstance(handover, dict) else ():
        if isinstance(given, dict) and isinstance(given.get("rate"), int | float):
            return float(given["rate"])
    return None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
