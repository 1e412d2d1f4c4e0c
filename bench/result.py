"""What a benchmark answers: a figure, the baseline it was taken beside, and the budget it is held against."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and its unit ("" for a ratio)."""

    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{digits(self.value)} {self.unit}" if self.unit else f"{self.value:.3f}"


@dataclass(frozen=True, slots=True)
class Budget:
    """The range for a figure, in its unit; None: no bound on that side."""

    least: float | None = None
    most: float | None = None

    def missed_by(self, figure: float) -> float:
        """How far the figure is outside, as a share of the bound; 0.0 if the budget is met."""
        if self.least is not None and figure < self.least:
            return (self.least - figure) / self.least
        if self.most is not None and figure > self.most:
            return (figure - self.most) / self.most
        return 0.0

    @property
    def is_set(self) -> bool:
        """Whether there is a bound."""
        return self.least is not None or self.most is not None

    def __str__(self) -> str:
        if not self.is_set:
            return "none, stated"
        if self.least is not None and self.most is not None:
            return f"{self.least:g}-{self.most:g}"
        return f">= {self.least:,g}" if self.least is not None else f"<= {self.most:,g}"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    what: str
    measured: Quantity
    baseline: Quantity
    against: str  # what the baseline is
    figure: Quantity  # what the budget applies to: often a ratio of the two
    budget: Budget
    note: str = ""  # what was measured, and what limits it
    details: Mapping[str, Any] = field(default_factory=dict)  # rounds and so on, only in the JSON

    @property
    def held(self) -> bool:
        """Whether the budget is met."""
        return self.budget.missed_by(self.figure.value) == 0

    @property
    def verdict(self) -> str:
        """'held', or by how much it is missed; "" where there is no budget."""
        if not self.budget.is_set:
            return ""
        missed = self.budget.missed_by(self.figure.value)
        if not missed:
            return "held"
        return f"missed by {missed:.1%}" if missed < 0.01 else f"missed by {missed:.0%}"

    def to_json(self) -> dict[str, Any]:
        """All fields and the verdict; `held` is None where there is no budget."""
        missed = self.budget.missed_by(self.figure.value)
        held = self.held if self.budget.is_set else None
        return {**asdict(self), "held": held, "missed_by": round(missed, 4)}


@dataclass(frozen=True, slots=True)
class BenchFailure:
    """A benchmark that could not be run."""

    name: str
    why: str


def round_ratios(measured: list[float], baseline: list[float]) -> list[float]:
    """The ratio of each round, sorted; both values of a round were measured in succession.

    Their median is the figure: a disturbance of the machine affects both values of a round.
    """
    return sorted(one / other for one, other in zip(measured, baseline, strict=True))


def middle_half(values: list[float]) -> str:
    """The quartiles of sorted values, "0.951-0.987": how far rounds differ."""
    return f"{values[len(values) // 4]:.3f}-{values[-1 - len(values) // 4]:.3f}"


def digits(value: float) -> str:
    """Three significant digits, thousands grouped: 0.953, 1.2, 12,300."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
