"""The circumvention of a scenario: parts to values, references checked. Pure, but for reading recipes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from testbed.measurement.passage import DIRECT, Passage
from testbed.model import Circumvention, Expectation, Host, Recipe, Scenario
from testbed.model.faults import world_faults
from testbed.scenario.expectations import Phases, check_rule, chosen
from testbed.scenario.invalid import INVALID
from testbed.scenario.labels import CAUSELESS
from testbed.scenario.problems import Loc
from testbed.scenario.recipes import passage_of, recipe_of
from testbed.scenario.sources import Sources
from testbed.scenario.targets import TargetParser
from testbed.scenario.wayparts import SpotPart, WayPart

# Our choice: ranges of Hetzner (AS24940), beside those of --serve, and of Selectel (AS49505).
_ABROAD = (IPv4Network("95.216.4.0/24"), IPv6Network("2a01:4f9:0:4::/64"), 24940, "FI")
_DOMESTIC = (IPv4Network("82.202.161.0/24"), IPv6Network("2a03:6f00:11::/64"), 49505, "RU")
MOST = 200  # entries of a scenario: each has a server address of its own


def ways_of(
    parts: Sequence[WayPart],
    phases: Phases,
    expect: Sequence[Expectation],
    targets: TargetParser,
    sources: Sources,
) -> tuple[Circumvention, ...]:
    """Every combination of phase, vantage and target; problems noted."""
    found: list[Circumvention] = []
    names: dict[str, int] = {}
    for index, part in enumerate(parts):
        if part is INVALID:
            continue
        loc: Loc = ("circumvention", index)
        if part.name in names:
            other = f"circumvention[{names[part.name]}] has that name"
            sources.add((*loc, "name"), f"there is a method {part.name!r} already", other)
        names.setdefault(part.name, index)
        recipe = recipe_of(part.recipe, part.name, (*loc, "recipe"), sources)
        if recipe is not None:
            found += _each(part, recipe, index, phases, expect, targets, sources)
    if len(parts) > MOST:
        sources.add(("circumvention",), f"there are {len(parts)} methods", f"{MOST} at most")
    _check_servers(found, sources)
    return tuple(found)


def _each(
    part: WayPart,
    recipe: Recipe,
    index: int,
    phases: Phases,
    expect: Sequence[Expectation],
    targets: TargetParser,
    sources: Sources,
) -> Iterator[Circumvention]:
    loc: Loc = ("circumvention", index)
    parsed = [targets.target(url, (*loc, "target", number)) for number, url in enumerate(part.target)]
    instead_of = _compared(part, loc, sources)
    url = part.instead_of.target if part.instead_of else ""
    other = targets.target(url, (*loc, "instead_of", "target")) if url else None
    for phase in chosen(part.phase, list(phases), "phase", loc, sources):
        operators = [operator.key for operator in sources.world.operators]
        for vantage in chosen(part.vantage, operators, "vantage", loc, sources):
            if vantage not in operators:
                sources.add((*loc, "vantage"), "nothing is blocked outside", "name an operator")
                continue
            if part.fails_by:
                check_rule(part.fails_by, phase, [vantage], phases, (*loc, "fails_by"), sources)
            for target in filter(None, parsed):
                way = Circumvention(
                    part.name,
                    phase,
                    vantage,
                    target,
                    recipe,
                    part.fails_by,
                    part.direct,
                    instead_of,
                    other,
                    _server(part, index) if recipe.server else None,
                    part.notes or "",
                )
                if (phase, vantage) not in sources.broken and not _blocked(way, phases, expect):
                    message = f"{way.compared_target.url} is not blocked at {vantage} in phase {phase!r}"
                    remedy = "remove the entry, or write 'direct: ok' if the tool alone is tried"
                    sources.add(loc, message, remedy)
                yield way


def _compared(part: WayPart, loc: Loc, sources: Sources) -> Passage:
    if part.instead_of is None:
        return DIRECT
    try:
        return passage_of(part.instead_of)
    except ValueError as error:
        sources.add((*loc, "instead_of"), str(error))
        return DIRECT


def _blocked(way: Circumvention, phases: Phases, expect: Sequence[Expectation]) -> bool:
    """Whether the scenario itself expects the direct way to be blocked, as far as that can be known."""
    if way.direct == "ok":
        return True
    if way.instead_of != DIRECT:  # what another resolver or proxy meets is known when it is tried
        return any(place.operator == way.vantage for place in phases[way.phase].placements)
    return any(
        one.phase == way.phase
        and one.vantage == way.vantage
        and one.outcome not in CAUSELESS
        and one.target.host == way.compared_target.host
        for one in expect
    )


def _server(part: WayPart, index: int) -> Host:
    """The machine of the recipe's server: each entry has its own, so that none pays for another's traffic."""
    number = index + 1
    key, names = f"way{number}", (f"way{number}.example.net",)
    if isinstance(part.server, SpotPart):
        spot = part.server
        return Host(key, names, (str(spot.ipv4),), (str(spot.ipv6),), spot.asn, spot.country)
    range4, range6, asn, country = _ABROAD if part.server == "abroad" else _DOMESTIC
    return Host(key, names, (str(range4[number % 255]),), (str(range6[number]),), asn, country)


def _check_servers(ways: Sequence[Circumvention], sources: Sources) -> None:
    """The servers' names and addresses are free."""
    hosts = _hosts_of(ways)
    own = {host.key: f"server of circumvention {way.name!r}" for way in ways if (host := way.server)}
    if not own:
        return
    for fault in world_faults(replace(sources.world, hosts=(*sources.world.hosts, *hosts))):
        if len(fault.path) > 1 and fault.path[0] == "hosts" and fault.path[1] in own:
            message = f"the {own[str(fault.path[1])]} cannot be there: {fault.message}"
            sources.add(("circumvention",), message, fault.remedy)


def _hosts_of(ways: Sequence[Circumvention]) -> tuple[Host, ...]:
    return tuple({way.server.key: way.server for way in ways if way.server}.values())


def known_servers(parts: Sequence[WayPart]) -> tuple[Host, ...]:
    """Where the entries' servers are, if their recipes have some: rules mean them by `country:`, too."""
    return tuple(_server(part, index) for index, part in enumerate(parts) if part is not INVALID)


def with_servers(scenario: Scenario, phase: str, vantages: Sequence[str]) -> Scenario:
    """The scenario with the machines on which the tools of a phase have their servers."""
    ways = [way for way in scenario.circumvention if way.phase == phase and way.vantage in vantages]
    world = replace(scenario.world, hosts=(*scenario.world.hosts, *_hosts_of(ways)))
    return replace(scenario, world=world)
