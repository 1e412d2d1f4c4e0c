"""Expectation parts to expectations: lists expanded, references checked."""

from collections.abc import Mapping, Sequence

from testbed.errors import nearest
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, Expectation, Phase, PhaseLinks
from testbed.scenario.invalid import INVALID
from testbed.scenario.labels import CAUSELESS, LABELS
from testbed.scenario.problems import Loc
from testbed.scenario.schema import ExpectPart
from testbed.scenario.sources import Sources
from testbed.scenario.targets import TargetParser

ALL = "all"
_NO_HARM = {*CAUSELESS, "portal"}  # of a control: everybody's network is out, or asks for a login
_SHOWN = 3  # vantages that a message names; our choice

Phases = Mapping[str, Phase]
Made = dict[tuple[str, str, str, int], tuple[Expectation, int]]  # by phase, vantage, URL and IP version


def expand(
    parts: list[ExpectPart], phases: Phases, targets: TargetParser, sources: Sources
) -> tuple[Expectation, ...]:
    """Every combination of phase, vantage and target; problems noted."""
    vantages = [operator.key for operator in sources.world.operators]
    made: Made = {}
    for index, part in enumerate(parts):
        if part is INVALID:
            continue
        loc: Loc = ("expect", index)
        _check_part(part, loc, sources)
        for key in ("phase", "vantage", "target"):
            if not getattr(part, key):
                remedy = (
                    "name one, or leave the expectation out"
                    if key == "target"
                    else "name one, or leave it out"
                )
                sources.add((*loc, key), f"an expectation for no {key} tests nothing", remedy)
        parsed = [targets.target(url, _item(loc, "target", n)) for n, url in enumerate(part.target)]
        chosen_phases = chosen(part.phase, list(phases), "phase", loc, sources)
        chosen_vantages = chosen(part.vantage, vantages, "vantage", loc, sources)
        for phase in chosen_phases:
            if part.by:
                check_rule(part.by, phase, chosen_vantages, phases, (*loc, "by"), sources)
            for vantage in chosen_vantages:
                _check_outage(part, phase, vantage, phases, loc, sources)
                for each in filter(None, parsed):
                    one = Expectation(
                        phase,
                        vantage,
                        each,
                        part.outcome,
                        part.by,
                        part.rate,
                        part.received,
                        part.ip,
                        part.tries,
                        part.share,
                        sources.document.place(loc),
                    )
                    _keep(one, index, made, sources)
    return tuple(dict.fromkeys(one for one, _ in made.values()))


def _check_part(part: ExpectPart, loc: Loc, sources: Sources) -> None:
    if part.outcome not in LABELS:
        sources.add((*loc, "outcome"), f"unknown outcome {part.outcome!r}", nearest(part.outcome, LABELS))
    elif part.outcome not in CAUSELESS and not part.by:
        sources.add(loc, f"{part.outcome!r} needs a cause", "add 'by: RULE'")
    if part.rate is not None and part.outcome != "throttle":
        sources.add((*loc, "rate"), f"a rate goes with 'throttle', not with {part.outcome!r}", "remove it")
    if part.received is not None and part.outcome != "freeze":
        message = f"'received' goes with 'freeze', not with {part.outcome!r}"
        sources.add((*loc, "received"), message, "remove it")
    if part.share is not None and part.tries == 1:
        sources.add((*loc, "share"), "one try has no share", "add 'tries: 30'")
    if part.share is not None and part.outcome == "ok":
        message = "the tries that are not 'ok' need an outcome of their own"
        sources.add((*loc, "share"), message, "expect that outcome, with its share")


def check_rule(
    by: str, phase: str, vantages: Sequence[str], phases: Phases, loc: Loc, sources: Sources
) -> None:
    """Note it if no rule of that name is in force at one of them."""
    lacking, near = [], set[str]()
    for vantage in vantages:
        if phase not in phases or (phase, vantage) in sources.broken:
            continue
        rules = {
            name
            for place in phases[phase].placements if place.operator == vantage
            for rule in place.policy.rules
            for name in (rule.name, f"{place.policy.name}/{rule.name}")
        }  # fmt: skip
        if by not in rules:
            lacking.append(vantage)
            near |= rules
    if lacking:
        shown = ", ".join(lacking[:_SHOWN]) + f" and {len(lacking) - _SHOWN} more" * (len(lacking) > _SHOWN)
        sources.add(loc, f"no rule {by!r} is in force at {shown} in phase {phase!r}", nearest(by, near))


def _check_outage(
    part: ExpectPart, phase: str, vantage: str, phases: Phases, loc: Loc, sources: Sources
) -> None:
    """An outage is one of the operator's links."""
    operator = next((one for one in sources.world.operators if one.key == vantage), None)
    if part.outcome != "outage" or phase not in phases:
        return
    given = phases[phase].links.get(vantage, PhaseLinks())
    usual = (operator.access, operator.uplink or sources.world.backbone) if operator else ()
    links = [*usual, given.access, given.backbone]
    if not any(link is not None and (link.loss or link.dead) for link in links):
        message = f"an outage at {vantage} in phase {phase!r}, whose links lose nothing there"
        remedy = f"add to the phase: links: {{{vantage}: {{backbone: {{dead: true}}}}}}"
        sources.add((*loc, "outcome"), message, remedy if operator else "an outage is an operator's")


def chosen(words: list[str], known: list[str], key: str, loc: Loc, sources: Sources) -> list[str]:
    """The phases or vantages that an entry names, `all` spelt out; those that there are not are noted."""
    allowed = [*known, OUTSIDE] if key == "vantage" else known
    found: list[str] = []
    for index, word in enumerate(words):
        if word == ALL:
            found += known
        elif word in allowed:
            found.append(word)
        else:
            sources.add(_item(loc, key, index), f"unknown {key} {word!r}", nearest(word, [*allowed, ALL]))
    return list(dict.fromkeys(found))


def _keep(one: Expectation, index: int, made: Made, sources: Sources) -> None:
    keys = [(one.phase, one.vantage, one.target.url, ipv) for ipv in ((one.ipv,) if one.ipv else (4, 6))]
    if found := [made[key] for key in keys if key in made]:
        earlier, where = found[0]
        over = f" over IPv{one.ipv or earlier.ipv}" if one.ipv or earlier.ipv else ""
        message = f"{one.target.url} from {one.vantage} in phase {one.phase!r}{over} is expected twice"
        sources.add(("expect", index), message, f"expect[{where}] already says {earlier.outcome!r}")
    else:
        made.update(dict.fromkeys(keys, (one, index)))


def _item(loc: Loc, key: str, index: int) -> Loc:
    return (*loc, key, index)


def controls(urls: list[str], targets: TargetParser) -> tuple[Target, ...]:
    """The control targets; problems noted."""
    parsed = [targets.target(url, ("controls", index)) for index, url in enumerate(urls)]
    return tuple(filter(None, parsed))


def check_controls(given: Sequence[Target], expect: Sequence[Expectation], sources: Sources) -> None:
    """Note controls that a censor is expected to harm: they cannot show that the rest still works."""
    for index, control in enumerate(given):
        harmed = [one for one in expect if one.target.url == control.url and one.outcome not in _NO_HARM]
        if harmed:
            first = harmed[0]
            where = f"from {first.vantage} in phase {first.phase!r}"
            message = f"{control.url} is a control, and {first.outcome!r} is expected of it {where}"
            sources.add(("controls", index), message, "name a target that no rule meets")
