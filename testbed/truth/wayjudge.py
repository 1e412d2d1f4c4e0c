"""Whether the methods of circumvention of a phase did what the scenario says. Pure.

A way proves something only if the direct way is blocked in the same world, and if the same tool gets through
here or where nothing filters; otherwise the entry is invalid. One that must fail must do so by the rule it
names.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from testbed.measurement.ooni import Measurement
from testbed.model import Circumvention
from testbed.truth.classify import classify, speed_of
from testbed.truth.proofs import CensorReceipts, fired_on, is_rule, on_flows
from testbed.truth.toolrun import BEHAVED, Fetched, ToolRun

Tried = Measurement | Fetched | str
"""What a tool came to; a text says why it did not start."""
WayVerdict = Literal["ok", "differs", "by another cause", "not needed", "broken by itself", "skipped"]
NOT_READY = "not ready"  # the tool itself could not start: what it had to reach did not answer
_INVALID = ("not needed", "broken by itself")


@dataclass(frozen=True, slots=True)
class WayTrial:
    """One circumvention as it was tried."""

    way: Circumvention
    direct: Measurement | None = None  # from the vantage, the way that it is compared with
    direct_outside: Measurement | None = None  # the same where nothing filters
    through: Tried = ""  # from the vantage, by the method
    free: Tried = ""  # by the method, where nothing filters
    flows: Collection[str] = ()  # that the tool and its client had with the network
    at_resolver: Collection[str] = ()  # rules of the operator's resolver that were triggered meanwhile
    skipped: str = ""  # what this machine lacks
    tool: ToolRun = BEHAVED
    packets: Mapping[str, str] = field(default_factory=dict)  # by rule: which of them triggered it first
    passed: str = ""  # why a listed name in its flows went by
    answered: int = 0  # flows of the subscriber's own that the target answered


@dataclass(frozen=True, slots=True)
class WayRow:
    """One circumvention: expected and observed, and what proves it."""

    name: str
    recipe: str
    vantage: str
    target: str  # URL
    fails_by: str  # "": it must get through
    direct: str  # label of the way that it is compared with; "" if skipped
    observed: str  # label by the method, or "not ready"
    free: str  # label of the same tool where nothing filters
    verdict: WayVerdict
    acted: tuple[str, ...] = ()  # rules that did something to its flows, "mts/tspu/rule"
    why: str = ""  # what is missing, what kept the tool from starting, or what its own client said
    tool: ToolRun = BEHAVED  # what it did besides its task
    packet: str = ""  # the one that triggered the first of these rules, "517 bytes at 0"
    passed: str = ""  # why a listed name in its flows went by; "" if no censor noted one
    answered: int = 0  # flows of the subscriber's own that the target answered; of a tunnel none
    speed: float | None = None  # of what came by the method, bit/s
    free_speed: float | None = None  # of the same where nothing filters

    @property
    def problem(self) -> str:
        """Why the entry is invalid; "" if it is not."""
        where = f"the method {self.name} to {self.target} from {self.vantage}"
        if self.verdict == "not needed":
            return f"{where} proves nothing: the direct way is {self.direct}"
        if self.verdict == "broken by itself":
            why = f" ({self.why})" if self.why else ""
            return f"{where} proves nothing: where nothing filters, it is {self.free}{why}"
        return ""

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "WayRow":
        """The row that `to_json` wrote. TypeError or KeyError for anything else."""
        lists = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
        return cls(**{**values, **lists, "tool": ToolRun.from_json(values["tool"])})


def judge_ways(
    trials: Iterable[WayTrial], receipts: CensorReceipts, before: CensorReceipts | None = None
) -> tuple[WayRow, ...]:
    """A row for each. `before`: the receipts of the direct ways, where they have their own."""
    return tuple(_judged(trial, receipts, receipts if before is None else before) for trial in trials)


def ways_verdict(rows: Sequence[WayRow]) -> str:
    """The rows in one line."""
    tried = [row for row in rows if row.verdict != "skipped"]
    good = sum(row.verdict == "ok" for row in tried)
    word = "as expected" if good == len(tried) else "NOT as expected; agreeing"
    skipped = f", {len(rows) - len(tried)} skipped" if len(tried) < len(rows) else ""
    return f"circumvention {word}: {good} of {len(tried)}{skipped}"


def _judged(trial: WayTrial, receipts: CensorReceipts, before: CensorReceipts) -> WayRow:
    way = trial.way
    if trial.skipped:
        return _row(way, "", "", "", "skipped", why=trial.skipped)
    acted = (*fired_on(on_flows(receipts, trial.flows)), *trial.at_resolver)
    free = _label(trial.free, None, limited=False)
    reference = trial.free if isinstance(trial.free, Measurement) else None
    observed = _label(trial.through, reference, limited=bool(acted))
    direct = _direct(trial, before)
    why = next(filter(None, map(_words, (trial.through, trial.free))), "") or trial.tool.why
    verdict = _verdict(way, direct, observed, free, acted)
    packet = next((trial.packets[rule] for rule in acted if rule in trial.packets), "")
    row = _row(way, direct, observed, free, verdict, acted, why, trial.tool)
    return replace(
        row,
        packet=packet,
        passed=trial.passed,
        answered=trial.answered,
        speed=_speed(trial.through),
        free_speed=_speed(trial.free),
    )


def _speed(tried: Tried) -> float | None:
    return speed_of(tried) if isinstance(tried, Measurement) else None


def _words(tried: Tried) -> str:
    """Why a tool did not start, or what a client of its own said when it failed."""
    if isinstance(tried, Fetched):
        return tried.why
    return tried if isinstance(tried, str) else ""


def _direct(trial: WayTrial, receipts: CensorReceipts) -> str:
    if trial.direct is None:
        return ""
    acted = fired_on(on_flows(receipts, trial.direct.test_keys.flows or ()))
    return classify(trial.direct, trial.direct_outside, limited=bool(acted))


def _label(tried: Tried, reference: Measurement | None, *, limited: bool) -> str:
    if isinstance(tried, Fetched):
        return tried.label
    return NOT_READY if isinstance(tried, str) else classify(tried, reference, limited=limited)


def _verdict(way: Circumvention, direct: str, observed: str, free: str, acted: Collection[str]) -> WayVerdict:
    # Outside is one router from the servers: a decoy that is to end before them arrives there.
    if free == NOT_READY or (free != "ok" and observed != "ok"):
        return "broken by itself"
    if (direct == "ok") is not (way.direct == "ok"):
        return "not needed"
    if not way.fails_by:
        return "ok" if observed == "ok" else "differs"
    if observed == "ok":
        return "differs"
    return "ok" if any(is_rule(rule, way.vantage, way.fails_by) for rule in acted) else "by another cause"


def _row(
    way: Circumvention,
    direct: str,
    observed: str,
    free: str,
    verdict: WayVerdict,
    acted: Collection[str] = (),
    why: str = "",
    tool: ToolRun = BEHAVED,
) -> WayRow:
    return WayRow(
        way.name,
        way.recipe.name,
        way.vantage,
        way.target.url,
        way.fails_by,
        direct,
        observed,
        free,
        verdict,
        tuple(dict.fromkeys(acted)),
        why,
        tool,
    )


def way_problems(rows: Sequence[WayRow]) -> list[str]:
    """Why entries are invalid, one sentence each."""
    return [row.problem for row in rows if row.verdict in _INVALID]
