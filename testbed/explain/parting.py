"""Two runs side by side: what was set otherwise, which verdicts changed, where their flows part."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from testbed.errors import InputError
from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import RunEvidence
from testbed.explain.flowstory import StoryStep

_COUNTS: Final = re.compile(r"\d[\d,.]* (bytes|reads|×|more|sends|receipts)")
_UNSTEADY: Final = ("received", "ended", "counted")  # whose numbers differ from run to run
_NUMBER: Final = re.compile(r"\d[\d,.]*")
_SETTINGS: Final = ("scenario", "phase", "phases", "seed", "time_scale")


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A target whose verdict or observation differs. A side without it has "" there."""

    vantage: str
    target: str
    trial: int | None
    first: str
    second: str
    parts: tuple[str, str] = ("", "")  # the first step that differs, in each run; ("", ""): none is known
    after: str = ""  # the last step that both have


@dataclass(frozen=True, slots=True)
class RunDifference:
    """What differs between two runs."""

    settings: tuple[tuple[str, str, str], ...]  # what, in the first, in the second
    problems: tuple[tuple[str, ...], tuple[str, ...]]  # why each is invalid or not whole; () if it is neither
    rows: tuple[ChangedRow, ...]
    same: int  # rows that agree
    rules: tuple[tuple[str, bool, bool], ...] = ()  # what acted in one run only: the rule, in which

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def difference(first: RunEvidence, second: RunEvidence) -> RunDifference:
    """Compare two runs row by row."""
    one, other = _rows(first.summary), _rows(second.summary)
    changed = []
    for key in {**one, **other}:
        seen, then = _seen(one.get(key)), _seen(other.get(key))
        if seen != then:
            parts, after = _parting(first, second, key) if seen and then else (("", ""), "")
            changed.append(ChangedRow(*key[:2], key[2], seen, then, parts, after))
    return RunDifference(
        tuple(_settings(first, second)),
        (_problems(first), _problems(second)),
        tuple(changed),
        len({**one, **other}) - len(changed),
        tuple(_rules(first, second)),
    )


def first_parting(first: list[StoryStep], second: list[StoryStep]) -> tuple[tuple[str, str], str]:
    """The first steps that differ, and the last that does not; ("", "") if all agree."""
    after = ""
    for number in range(max(len(first), len(second))):
        mine = first[number] if number < len(first) else None
        theirs = second[number] if number < len(second) else None
        if _steady(mine) != _steady(theirs):
            return (_said(mine), _said(theirs)), after
        after = _said(mine)
    return ("", ""), after


def _rules(first: RunEvidence, second: RunEvidence) -> Iterator[tuple[str, bool, bool]]:
    """The rules that acted in one of two runs; all that is known where a command ran."""
    one, other = (run.summary.get("rules_fired") or {} for run in (first, second))
    for rule in {**one, **other}:
        if (rule in one) != (rule in other):
            yield rule, rule in one, rule in other


def _problems(run: RunEvidence) -> tuple[str, ...]:
    if "valid" not in run.summary:
        return ("it did not come to its end",)
    return (
        () if run.summary["valid"] else tuple(run.summary.get("problems") or ("for no reason that it names",))
    )


_Key = tuple[str, str, int | None]


def _rows(summary: Mapping[str, Any]) -> dict[_Key, Mapping[str, Any]]:
    return {(row["vantage"], row["target"], row.get("trial")): row for row in summary.get("rows") or ()}


def _seen(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    by = f" by {row['by']}" if row.get("by") and row["observed"] != "ok" else ""
    verdict = "" if row["verdict"] == "ok" else f" ({row['verdict']})"
    return f"{row['observed']}{by}{verdict}"


def _parting(first: RunEvidence, second: RunEvidence, key: _Key) -> tuple[tuple[str, str], str]:
    try:
        stories = [compose(one, choose(one, key[1], key[0])) for one in (first, second)]
    except InputError:  # one of them has no flow of it
        return ("", ""), ""
    return first_parting(list(stories[0].steps), list(stories[1].steps))


def _steady(step: StoryStep | None) -> tuple[str, ...]:
    """What of a step is the same in each run of the same world."""
    if step is None:
        return ()
    words = (_NUMBER if step.kind in _UNSTEADY else _COUNTS).sub("#", step.words)
    return step.kind, step.lane, step.to, step.stops, words


def _said(step: StoryStep | None) -> str:
    if step is None:
        return "nothing more"
    where = f"{step.lane} to {step.to}" if step.to else step.lane
    return f"{where}: {step.words}" + (f", as far as {step.stops}" if step.stops else "")


def _settings(first: RunEvidence, second: RunEvidence) -> Iterator[tuple[str, str, str]]:
    for what in _SETTINGS:
        pair = _setting(first, what), _setting(second, what)
        if pair[0] != pair[1]:
            yield what, *pair
    for what, mine, theirs in (
        ("versions", first.scenario.get("versions", {}), second.scenario.get("versions", {})),
        ("file", first.scenario.get("files", {}), second.scenario.get("files", {})),
        ("censor", _boxes(first), _boxes(second)),
    ):
        for key in {**mine, **theirs}:
            if mine.get(key) != theirs.get(key):
                yield f"{what} {key}", str(mine.get(key, "")), str(theirs.get(key, ""))


def _setting(run: RunEvidence, what: str) -> str:
    given = run.summary.get(what)
    if what != "phases":
        return str(given)
    return ", ".join(str(one.get("phase")) for one in given) if isinstance(given, list) else ""


def _boxes(run: RunEvidence) -> dict[str, str]:
    """Each censor's profile and models, by "phase name"."""
    return {
        f"{phase} {place['name']}": f"{place['profile']}, model {'/'.join(place.get('models', ()))}"
        for phase, one in run.scenario.get("phases", {}).items()
        for place in one.get("placements", ())
    }
