"""Expectation parts to expectations: lists expanded, references checked."""

from collections.abc import Mapping

from testbed.errors import nearest
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Expectation, Placement
from testbed.scenario.invalid import INVALID
from testbed.scenario.labels import LABELS
from testbed.scenario.problems import Loc
from testbed.scenario.schema import ExpectPart
from testbed.scenario.sources import Sources
from testbed.scenario.targets import TargetParser

ALL = "all"
_CAUSELESS = ("ok", "broken")  # outcomes that no rule causes

Phases = Mapping[str, tuple[Placement, ...]]


def expand(
    parts: list[ExpectPart], phases: Phases, targets: TargetParser, sources: Sources
) -> tuple[Expectation, ...]:
    """Every combination of phase, vantage and target; problems noted."""
    vantages = [operator.key for operator in sources.world.operators]
    made: dict[tuple[str, str, str], tuple[Expectation, int]] = {}
    for index, part in enumerate(parts):
        if part is INVALID:
            continue
        loc: Loc = ("expect", index)
        _check_part(part, loc, sources)
        parsed = [targets.target(url, _item(loc, "target", n)) for n, url in enumerate(part.target)]
        chosen_phases = _chosen(part.phase, list(phases), "phase", loc, sources)
        chosen_vantages = _chosen(part.vantage, vantages, "vantage", loc, sources)
        for phase in chosen_phases:
            for vantage in chosen_vantages:
                _check_by(part, phase, vantage, phases, loc, sources)
                for each in filter(None, parsed):
                    one = Expectation(phase, vantage, each, part.outcome, part.by, part.rate)
                    _keep(one, index, made, sources)
    return tuple(one for one, _ in made.values())


def _check_part(part: ExpectPart, loc: Loc, sources: Sources) -> None:
    if part.outcome not in LABELS:
        sources.add((*loc, "outcome"), f"unknown outcome {part.outcome!r}", nearest(part.outcome, LABELS))
    elif part.outcome not in _CAUSELESS and not part.by:
        sources.add(loc, f"{part.outcome!r} needs a cause", "add 'by: RULE'")
    if part.rate is not None and part.outcome != "throttle":
        sources.add((*loc, "rate"), f"a rate goes with 'throttle', not with {part.outcome!r}", "remove it")


def _check_by(part: ExpectPart, phase: str, vantage: str, phases: Phases, loc: Loc, sources: Sources) -> None:
    if not part.by or phase not in phases or (phase, vantage) in sources.broken:
        return
    rules = {
        name
        for place in phases[phase] if place.operator == vantage
        for rule in place.policy.rules
        for name in (rule.name, f"{place.policy.name}/{rule.name}")
    }  # fmt: skip
    if part.by not in rules:
        message = f"no rule {part.by!r} is in force at {vantage} in phase {phase!r}"
        sources.add((*loc, "by"), message, nearest(part.by, rules))


def _chosen(words: list[str], known: list[str], key: str, loc: Loc, sources: Sources) -> list[str]:
    allowed = [*known, OUTSIDE] if key == "vantage" else known
    chosen: list[str] = []
    for index, word in enumerate(words):
        if word == ALL:
            chosen += known
        elif word in allowed:
            chosen.append(word)
        else:
            sources.add(_item(loc, key, index), f"unknown {key} {word!r}", nearest(word, [*allowed, ALL]))
    return list(dict.fromkeys(chosen))


def _keep(
    one: Expectation, index: int, made: dict[tuple[str, str, str], tuple[Expectation, int]], sources: Sources
) -> None:
    key = (one.phase, one.vantage, one.target.url)
    if key in made:
        earlier = made[key][1]
        message = f"{one.target.url} from {one.vantage} in phase {one.phase!r} is expected twice"
        sources.add(("expect", index), message, f"expect[{earlier}] already says {made[key][0].outcome!r}")
    else:
        made[key] = (one, index)


def _item(loc: Loc, key: str, index: int) -> Loc:
    return (*loc, key, index)


def controls(urls: list[str], targets: TargetParser) -> tuple[Target, ...]:
    """The control targets; problems noted."""
    parsed = [targets.target(url, ("controls", index)) for index, url in enumerate(urls)]
    return tuple(filter(None, parsed))
