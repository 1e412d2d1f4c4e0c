"""What a detector said of one target, as a value; and what could not be read of its output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from testbed.scenario import labels

Said = Literal["blocked", "free", "inconclusive"]

LAYERS: Final = tuple(layer for layer in get_args(labels.LabelLayer) if layer != "none")

ComplaintKind = Literal[
    "truncated line",  # the output ends in the middle of a record, or a record is no JSON
    "not a result",  # a record without what the tool always writes, or of another tool
    "unknown field",
    "unknown failure",  # a failure, status or verdict word that the tool's documentation does not list
    "duplicate",  # the same record once more
    "empty",  # no record at all
    "not read",  # the adapter failed on the output
    "no such target",  # a verdict about something that is no case
]


def layer_of(label: str) -> str:
    """The layer of a canonical label, one of LAYERS; "" for those that are no interference."""
    layer = labels.layer_of(label)
    return "" if layer == "none" else layer


@dataclass(frozen=True, slots=True)
class ToolVerdict:
    """One answer of a tool about one target.

    `mechanisms` are the canonical labels (testbed.scenario.labels) that its words are compatible with, the
    likeliest first: a tool with a time limit cannot tell a slow answer from none. `parameters` are numbers
    that it measured: `rate` (bit/s), `received` (bytes before a freeze), `hop` (routers between the client
    and the box, the last one counted), `residual` (seconds),
    `connections` (that work side by side before one does not).
    """

    target: str  # a URL or a name as the tool writes it; "" if it says it of the only target it was given
    said: Said
    mechanisms: tuple[str, ...] = ()
    words: str = ""  # the tool's own
    layer: str = ""  # one of LAYERS, where the tool names it; else that of the first mechanism
    parameters: Mapping[str, float] = field(default_factory=dict)
    vantage: str = ""  # where the output says so

    def __post_init__(self) -> None:
        if not self.layer and self.mechanisms:
            object.__setattr__(self, "layer", layer_of(self.mechanisms[0]))

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return {
            "target": self.target,
            "said": self.said,
            "mechanisms": list(self.mechanisms),
            "layer": self.layer,
            "words": self.words,
            "parameters": dict(self.parameters),
            "vantage": self.vantage,
        }


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something in the output that was not understood. It is counted apart and never guessed."""

    kind: ComplaintKind
    place: str  # "line 3"
    message: str  # names the field, word or value

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.message}" if self.place else f"{self.kind}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return {"kind": self.kind, "place": self.place, "message": self.message}


@dataclass(frozen=True, slots=True)
class ToolReport:
    """Everything that was read of one output."""

    verdicts: tuple[ToolVerdict, ...] = ()
    complaints: tuple[Complaint, ...] = ()
