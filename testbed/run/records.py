"""A held world as values: what identifies it, and what is recorded of each phase."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class WorldInfo:
    """What identifies a held world."""

    name: str
    scenario: str
    vantages: tuple[str, ...]  # those that commands can run from
    folder: Path
    keeper: int  # process number of its keeper, as the machine sees it
    idle: float | None  # seconds without a command after which it ends; None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRecord:
    """One phase of a held world or of a timeline, from its start to its end."""

    phase: str
    part: str  # its folder below receipts/: "1-substring"
    started: float  # seconds since the epoch
    seconds: float
    commands: int  # how many were run in it
    fired: Mapping[str, int]  # rule that acted -> packets that the kernel counted
    matched: Mapping[str, int]  # rule -> how often it was triggered
    begins: str = ""  # with a timeline: the scenario's time, ISO 8601
    ends: str = ""  # the first moment after it
    controls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # vantage -> target -> label
    problems: tuple[str, ...] = ()  # why it is invalid
    notes: tuple[str, ...] = ()  # worth a reader's eye, harmless

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PhaseRecord":
        """The record that `to_json` wrote."""
        return cls(**{**values, "problems": tuple(values["problems"]), "notes": tuple(values["notes"])})
