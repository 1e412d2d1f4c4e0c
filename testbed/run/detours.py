"""Trying the methods of circumvention of a phase in its world, one recipe after another.

In a scenario the phase's censors see them all; on the bench each meets censors that remember nothing of
the others. The direct way is measured from the vantage's twin, the method from the vantage itself: neither
pays for what a filter remembers of the other's addresses. `outside`, where nothing filters, tries each tool
as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import Passage
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, OUTSIDE_HOST, Circumvention
from testbed.run.events import ends_of, events, packet_of
from testbed.run.laboratory import Laboratory
from testbed.run.observe import ToMeasure, observe_each
from testbed.run.podplaces import images_wanted
from testbed.run.session import Session
from testbed.run.toolneeds import missing
from testbed.run.toolround import RESULTS, ToolOutcome, ToolRound
from testbed.truth.wayjudge import WayTrial


def try_ways(session: Session, laboratory: Laboratory) -> tuple[WayTrial, ...]:
    """Try every circumvention of the session's phase and vantages, in the order of the scenario."""
    job = session.job
    ways = [
        way
        for way in session.scenario.circumvention
        if way.phase == session.phase and way.vantage in job.vantages
    ]
    lacking = {way.name: lacking_for(way, laboratory) for way in ways}
    possible = [way for way in ways if not lacking[way.name]]
    direct = measure_direct(session, laboratory, possible)
    outcomes: dict[tuple[str, str], ToolOutcome] = {}
    for name in dict.fromkeys(way.name for way in possible):
        outcomes |= tried(session, laboratory, [way for way in possible if way.name == name])
    log = list(events(session.folder.events))
    return tuple(
        WayTrial(way, skipped=lacking[way.name])
        if lacking[way.name]
        else way_trial(way, laboratory, direct, outcomes, log)
        for way in ways
    )


Outcomes = Mapping[tuple[str, str], ToolOutcome]
"""By the name of a method, and a vantage or `outside`."""


def tried(session: Session, laboratory: Laboratory, ways: Sequence[Circumvention]) -> Outcomes:
    """One method, tried from where these entries of it say, and from outside."""
    found: dict[tuple[str, str], ToolOutcome] = {}
    for vantages in _rounds(ways):
        made = ToolRound(session, laboratory, ways).at(vantages)
        found |= {(ways[0].name, vantage): one for vantage, one in made.items()}
    return found


def lacking_for(way: Circumvention, laboratory: Laboratory) -> str:
    """What a method needs and this machine lacks, by name."""
    why_not = laboratory.pods.why_not(images_wanted(way.recipe)) if laboratory.pods else ""
    return "; ".join(filter(None, (missing(way.recipe), why_not)))


def _rounds(ways: Sequence[Circumvention]) -> list[tuple[str, ...]]:
    """Which vantages try a recipe at once: all, unless its server can have one client only."""
    vantages = (OUTSIDE, *dict.fromkeys(way.vantage for way in ways))
    alone = bool(ways[0].recipe.server) and not ways[0].recipe.together
    return [(vantage,) for vantage in vantages] if alone else [vantages]


Direct = Mapping[tuple[str, Passage, str], Measurement]


def measure_direct(session: Session, laboratory: Laboratory, ways: Sequence[Circumvention]) -> Direct:
    """Vantage, passage and URL -> what the way that each is compared with comes to, from outside as well."""
    asked: dict[tuple[str, Passage], dict[str, Target]] = {}
    for way in ways:
        for vantage in (way.vantage, OUTSIDE):
            asked.setdefault((vantage, way.instead_of), {})[way.compared_target.url] = way.compared_target
    wanted = [
        ToMeasure(vantage, tuple(targets.values()), laboratory.beside(vantage), passage)
        for (vantage, passage), targets in asked.items()
    ]
    made = observe_each(laboratory, wanted, RESULTS, session.job.timeout, session.job.ipv) if wanted else []
    keys = [(one.vantage, one.passage, target.url) for one in wanted for target in one.targets]
    return dict(zip(keys, made, strict=True))


def way_trial(
    way: Circumvention,
    laboratory: Laboratory,
    direct: Direct,
    outcomes: Outcomes,
    log: Iterable[Mapping[str, Any]],
) -> WayTrial:
    """An entry as it was tried; `log`: the events meanwhile."""
    mine, free = outcomes[way.name, way.vantage], outcomes[way.name, OUTSIDE]
    through = mine.by_url[way.target.url]
    own = _addresses(laboratory, way.vantage)
    flows: dict[str, None] = {}
    resolver_rules: dict[str, None] = {}
    packets: dict[str, str] = {}
    for event in log:
        if event["kind"] != "match" or not mine.begun <= float(str(event["t"])) <= mine.ended:
            continue
        flow, censor = str(event["flow"]), str(event["censor"])
        if own & set(ends_of(flow)):
            flows[flow] = None
            packets.setdefault(f"{censor}/{event['rule']}", packet_of(event))
        elif not flow and censor.partition("/")[0] == way.vantage:
            resolver_rules[f"{censor}/{event['rule']}"] = None
    if isinstance(through, Measurement) and not way.recipe.client:  # nobody else had flows for it
        flows = dict.fromkeys(through.test_keys.flows or ())
    return WayTrial(
        way,
        direct[way.vantage, way.instead_of, way.compared_target.url],
        direct[OUTSIDE, way.instead_of, way.compared_target.url],
        through,
        free.by_url[way.target.url],
        tuple(flows),
        tuple(resolver_rules),
        tool=mine.tool,
        packets=packets,
        passed=_passed(own, mine, log),
        answered=mine.answered[way.target.host],
    )


def _passed(own: set[str], mine: ToolOutcome, log: Iterable[Mapping[str, Any]]) -> str:
    """Why a name that a rule lists went by in a flow of the vantage meanwhile; "" if none did."""
    return next(
        (
            str(event["detail"].get("why") or "the box missed it, as its share of misses says")
            for event in log
            if event["kind"] in ("unread", "miss")
            and mine.begun <= float(event["t"]) <= mine.ended
            and own & set(ends_of(str(event["flow"])))
        ),
        "",
    )


def _addresses(laboratory: Laboratory, vantage: str) -> set[str]:
    if vantage == OUTSIDE:
        return set(OUTSIDE_HOST)
    return set(map(str, laboratory.world.plan.vantage_address(vantage)))
