"""One observation: what one vantage saw of one target at one time."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

State = Literal["ok", "slow", "blocked", "outage", "portal", "down", "refused", "hung"]
STATES: tuple[State, ...] = get_args(State)
MEANINGS: Mapping[State, str] = {
    "ok": "reachable",
    "slow": "slowed down",
    "blocked": "blocked",
    "outage": "the operator is out",
    "portal": "a portal wants a login",
    "down": "down for everybody",
    "refused": "the server refuses",
    "hung": "the detector hung",
}
INTERFERENCE: tuple[State, ...] = ("slow", "blocked")
"""What a filter does; everything else but "ok" is nobody's doing, or unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The line of samples.jsonl, and the row of samples.csv."""

    time: str  # of the scenario, ISO 8601
    phase: str
    vantage: str
    target: str  # URL
    state: State
    label: str  # the probe's, see testbed.scenario.labels; of a detector its own word
    rate: float | None = None  # bit/s, of a bulk transfer
    outside_rate: float | None = None  # the same from outside
    acted: tuple[str, ...] = ()  # rules that acted on its flows, "mts/tspu/rule": the wire's truth
    ipv: int = 4  # IP version that the probe used
    tries: int = 1  # 2: what came first was measured once more, because no rule had acted
    seconds: float | None = None  # real ones, that it took

    @property
    def level(self) -> float:
        """What is left of the target, from 0 to 1: of a slowed one, its share of the speed outside."""
        if self.state == "ok":
            return 1.0
        if self.state == "slow" and self.rate is not None and self.outside_rate:
            return min(1.0, self.rate / self.outside_rate)
        return 0.0

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Sample":
        """The sample that `to_json` wrote."""
        return cls(**{**values, "acted": tuple(values["acted"])})
