"""What the page is about, as values: read once, and all that its sections know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.detectors.score import Score
from testbed.detectors.trials import Standing, Trial
from testbed.explain.flowstory import FlowStory
from testbed.monitor.sample import Sample
from testbed.truth.wayjudge import WayRow

Values = Mapping[str, Any]  # a JSON object of a run's folder


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One measurement beside what should have been seen: a row of summary.json."""

    phase: str
    vantage: str
    target: str
    role: str  # expectation, control
    expected: str
    observed: str
    verdict: str  # ok, differs, "no receipt", …
    seen: str = ""  # observed, with the numbers that it is about
    should: str = ""  # expected, likewise
    by: str = ""  # the rule that should cause it
    kernel: int = 0  # packets that the kernel counted for that rule
    others: tuple[str, ...] = ()  # further rules that acted
    failure: str = ""
    rate: float | None = None  # bit/s
    outside_rate: float | None = None
    expected_rate: tuple[float, float] | None = None
    trial: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether it is what should have been seen."""
        return self.verdict == "ok"


@dataclass(frozen=True, slots=True)
class ActedRule:
    """What a censor's receipt says of one rule."""

    censor: str
    part: str  # the phase, of a world that had several
    rule: str
    action: str
    claimed: Mapping[str, int]
    kernel: Mapping[str, int]
    flows: int

    @property
    def acted(self) -> bool:
        """Whether it did anything."""
        return any(self.claimed.values()) or any(self.kernel.values())


@dataclass(frozen=True, slots=True)
class RateCurve:
    """A transfer over time: bits per second in steps of `step` seconds, and the limit that a rule has set."""

    vantage: str
    target: str
    direction: str  # down, up
    step: float
    rates: tuple[float, ...]
    source: str  # "capture", or "the client's counter"
    observed: str = ""
    rule: str = ""
    action: str = ""  # police, shape, …
    limit: float | None = None  # bit/s


@dataclass(frozen=True, slots=True)
class BoxPlace:
    """A censor and where it is."""

    name: str
    operator: str
    at: str  # hop, resolver
    hop: int
    profile: str
    rules: tuple[tuple[str, str], ...]  # name and action


@dataclass(frozen=True, slots=True)
class OperatorLine:
    """One operator's way to the backbone."""

    key: str
    name: str
    asn: int
    kind: str
    hops: int


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """One phase of a scenario, as the run had it."""

    key: str
    title: str
    boxes: tuple[BoxPlace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run. What its folder does not hold is in `missing`, a sentence each."""

    folder: str
    scenario: str
    title: str
    phase: str
    seed: int | None
    time_scale: float
    verdict: str  # in one line
    valid: bool | None  # None: the run did not come to its end
    exit_status: int | None
    started: str
    seconds: float | None
    vantages: tuple[str, ...]
    command: tuple[str, ...]  # a program that ran; () for the probe
    captured: bool
    timeline: bool
    versions: Mapping[str, str]
    files: Mapping[str, str]  # the scenario's, with their SHA-256
    operators: tuple[OperatorLine, ...]
    transit: int
    phases: tuple[PhaseFacts, ...]  # those that it had
    rows: tuple[MeasuredRow, ...]
    rules: tuple[ActedRule, ...]
    events: Mapping[tuple[str, str, str], int]  # censor, rule, kind -> how many
    asked: Values = field(default_factory=dict)  # job.json: what was asked for
    ways: tuple[WayRow, ...] = ()  # methods of circumvention that were tried
    curves: tuple[RateCurve, ...] = ()
    stories: tuple[FlowStory, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Scenario and phase."""
        return f"{self.scenario}, phase {self.phase}" if not self.timeline else f"{self.scenario}, timeline"

    @property
    def agreeing(self) -> int:
        """Rows that are as expected."""
        return sum(row.agrees for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationFacts:
    """A detector over scenarios: its trials, and how often it was right.

    Of a file of `score --json` there is the score with the trials that are not right: no plan, no adapter.
    """

    folder: str
    detector: str
    adapter: str
    plan: Values
    trials: tuple[tuple[Standing, Trial], ...]
    score: Score
    missing: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """Of its trials, also where only those that are not right are known."""
        return sum(self.score.whole.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFacts:
    """An observatory: every sample, and the incidents."""

    folder: str
    settings: Values
    every: float  # seconds of the scenario
    samples: tuple[Sample, ...]
    incidents: tuple[Values, ...]
    verdict: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFacts:
    """Tools against boxes, as `testbed matrix --json` printed it."""

    file: str
    how: str  # core, live
    cells: Mapping[tuple[str, str], Values]
    left_out: tuple[str, ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        """The rows, in order."""
        return tuple(dict.fromkeys(tool for tool, _ in self.cells))

    @property
    def boxes(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(dict.fromkeys(box for _, box in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything that the page shows."""

    asked: tuple[str, ...]  # as the user named it
    runs: tuple[RunFacts, ...] = ()
    evaluations: tuple[EvaluationFacts, ...] = ()
    monitors: tuple[MonitorFacts, ...] = ()
    matrices: tuple[MatrixFacts, ...] = ()
    unread: tuple[str, ...] = field(default=())  # what was found and could not be used

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there, with the place it is missing from."""
        lists = [(one.folder, one.missing) for one in self.runs]
        lists += [(one.folder, one.missing) for one in self.evaluations]
        lists += [(one.folder, one.missing) for one in self.monitors]
        return (*self.unread, *(f"{folder}: {one}" for folder, sentences in lists for one in sentences))
