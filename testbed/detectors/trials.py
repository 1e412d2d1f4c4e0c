"""One trial: what was true, what the rules did to the detector's packets, what it said, what that counts as.

A detector is only scored on what it could know. A rule that did nothing to the detector's own packets has not
been met, whatever the scenario expects of another client: `free` is then right, and nothing is counted.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from testbed.detectors.adapter import Adapter
from testbed.detectors.verdicts import Complaint, ToolVerdict
from testbed.scenario.labels import CAUSELESS, SEEN_AS
from testbed.truth.proofs import is_rule

TrialEnding = Literal[
    "done",
    "stopped",  # by its stop condition: it has said what it has to say
    "hung",  # it did not end in the time that it was given
    "crashed",  # a signal ended it
    "flooded",  # it printed more than is kept
    "not started",
]
FAILURES: Final = ("hung", "crashed", "flooded", "not started")
"""Endings that are a detector's own fault: outcomes of their own, whatever it printed before."""

Standing = Literal[
    "hit",  # blocked, and it says so
    "miss",  # blocked, observable, met, and it says free
    "right",  # free, and it says so
    "false alarm",  # free, and it says blocked
    "inconclusive",
    "no verdict",  # its output has none for this target
    "hung",
    "crashed",
    "flooded",
    "not started",
    "not observable",  # no run of this tool can tell it
    "not met",  # the rule did nothing to the detector's own packets
    "another rule",  # another rule than the expected one acted on them: what is true is not known
    "lab-error",  # the laboratory failed
]
STANDINGS: Final[tuple[str, ...]] = Standing.__args__  # type: ignore[attr-defined]
SILENT: Final[tuple[Standing, ...]] = (
    "inconclusive", "no verdict", "hung", "crashed", "flooded", "not started",
)  # fmt: skip
"""Of a trial that could have been answered: no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One detector, one target, one vantage, once."""

    scenario: str
    phase: str
    vantage: str
    target: str  # a URL as the scenario writes it
    repeat: int = 1
    outcome: str  # the label that must be seen
    role: str = "expectation"  # or "control"
    also: tuple[str, ...] = ()  # other labels that its cause may have, as the technique says
    by: str = ""  # the rule that causes it, "policy/rule" or "rule"; "" where nothing interferes
    technique: str = ""  # of that rule: "rst-rewrite"
    profile: str = ""  # of its box: "t22"
    client: str = ""  # what the detector looks like on the wire, if that is known
    rate: tuple[float, float] | None = None  # bit/s that are true of a throttled target
    received: tuple[float, float] | None = None  # bytes that come before a freeze
    hop: int | None = None  # where the box of the rule is
    residual: float | None = None  # seconds for which that rule holds a 4-tuple
    connections: int | None = None  # that the rule lets begin before it acts
    chance: bool = False  # a share of tries only has the outcome
    acted: tuple[str, ...] | None = None  # rules that acted on its packets, "mts/tspu/rule"; None: not known
    ending: TrialEnding = "done"
    lab_error: str = ""
    verdict: ToolVerdict | None = None
    complaints: tuple[Complaint, ...] = ()
    seconds: float = 0.0  # that the detector ran
    left: int = 0  # processes that it left behind
    status: int | None = None  # its exit status, as a shell gives it
    raw: str = ""  # file of its output, in the evaluation's folder
    note: str = ""

    @property
    def scheme(self) -> str:
        """Of the target."""
        return self.target.partition(":")[0]

    @property
    def blocked(self) -> bool:
        """Whether a filter interferes. A server's refusal or fault is none of its doing."""
        return self.outcome not in CAUSELESS

    @property
    def place(self) -> str:
        """Everything but the repeat: repeats of one place must agree."""
        return f"{self.scenario}/{self.phase} {self.vantage} {self.target}"

    @property
    def mechanisms(self) -> frozenset[str]:
        """The labels that are right: the outcome, and what one measurement alone may show of its cause."""
        return frozenset({self.outcome, *self.also, *SEEN_AS.get(self.outcome, ())})

    def met(self) -> bool | None:
        """Whether the rule that causes the outcome acted on the detector's packets; None: not known."""
        if self.acted is None or not self.by:
            return None
        return any(is_rule(rule, self.vantage, self.by) for rule in self.acted)

    def standing(self, adapter: Adapter) -> Standing:
        """What the trial counts as for a detector that is read by `adapter`."""
        if self.lab_error:
            return "lab-error"
        if self.ending in FAILURES:
            return self.ending
        if not adapter.takes(self.scheme) or (self.blocked and self.outcome not in adapter.observes):
            return "not observable"
        if self.verdict is None:
            return "no verdict"
        if self.blocked and self.met() is False:
            return "another rule" if self.acted else "not met"
        if not self.blocked and self.acted:
            return "another rule"
        if self.verdict.said == "inconclusive":
            return "inconclusive"
        if self.verdict.said == "blocked":
            return "hit" if self.blocked else "false alarm"
        return "miss" if self.blocked else "right"

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        found = asdict(self)
        found["verdict"] = self.verdict.to_json() if self.verdict else None
        found["complaints"] = [one.to_json() for one in self.complaints]
        return found

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Trial":
        """The trial that `to_json` wrote. TypeError or KeyError for anything else."""
        values = dict(document)
        said = values.get("verdict")
        values["verdict"] = ToolVerdict(**{**said, "mechanisms": tuple(said["mechanisms"])}) if said else None
        values["complaints"] = tuple(Complaint(**one) for one in values.get("complaints", ()))
        for name in ("rate", "received", "acted", "also"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)
