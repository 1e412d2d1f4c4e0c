"""The story of one flow, as values: lanes, steps in the order of cause and effect, and why it came so."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

StepKind = Literal["sent", "saw", "matched", "did", "timer", "counted", "passed", "received", "ended"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One place that the flow passes: the client, a censor, the server."""

    key: str  # "client", "mts/tspu", "server"
    title: str
    detail: str = ""  # "hop 2, t22, model T"


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One thing that happened. An arrow has another lane in `to`, a note has none."""

    kind: StepKind
    lane: str  # where it happened, or where the arrow begins
    words: str
    t: float | None = None  # seconds since the run's start; None: only its order is known
    to: str = ""
    stops: str = ""  # the lane at which the arrow ends before its goal
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowStory:
    """Everything that is known about one flow of a run."""

    run: str
    scenario: str
    phase: str
    flow: str
    vantage: str
    target: str  # "" for a program's flow
    name: str  # that the client asked for: server name, host or question; "" if it is not known
    outcome: str  # what was observed beside what should have been
    stopped: bool | None  # whether a rule acted on it; None: no receipt says
    lanes: tuple[Lane, ...]
    steps: tuple[StoryStep, ...]
    why: tuple[str, ...] = ()  # in sentences
    others: tuple[str, ...] = ()  # further flows of the same measurement
    missing: tuple[str, ...] = ()  # what the folder does not hold
    packets: bool = False  # whether packets of a capture are among the steps

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)
