"""Resolves a valid file to a scenario: looks up everything that it refers to."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from testbed.errors import nearest
from testbed.model import OUTSIDE, Circumvention, Expectation, Scenario, World
from testbed.model.addressing import is_domestic
from testbed.scenario.document import Document
from testbed.scenario.expectations import Phases, check_controls, controls, expand
from testbed.scenario.invalid import INVALID, UNKNOWN
from testbed.scenario.phases import phases_of, sites_with
from testbed.scenario.policies import CensorCompiler
from testbed.scenario.problems import Problems
from testbed.scenario.schema import ScenarioFile
from testbed.scenario.serverpart import SiteChangePart
from testbed.scenario.sources import Sources
from testbed.scenario.targets import TargetParser
from testbed.scenario.worldfile import note_faults


def resolve(
    part: ScenarioFile,
    document: Document,
    world: World,
    world_document: Document,
    problems: Problems,
    *,
    tools: bool = True,
) -> Scenario:
    """The scenario; without `tools` it has no circumvention.

    InputError with the problems found before, every reference that leads nowhere, and every rule that
    cannot fire.
    """
    sources = Sources(document, world, problems)
    for each in (document, world_document):
        sources.used(each.path, each.digest)
    sources.world = _with_operators(part.operators, sources)
    sources.world = _with_sites(part.sites, sources)
    if part.hosts or part.vantages or sources.world.hosts:
        sources.world = _with_hosts(part, sources)
    world_alone = sources.world
    sources.world = _with_tools(part, world_alone)
    censors = {
        name: None if given is INVALID else CensorCompiler(name, given, sources)
        for name, given in part.censors.items()
    }
    phases = phases_of(part, censors, sources)
    sources.world = world_alone
    _check_use(part, sources)
    if part.default_phase not in phases and not (part.default_phase == UNKNOWN and problems.found):
        message = f"there is no phase {part.default_phase!r}"
        sources.add(("default_phase",), message, nearest(part.default_phase, phases))
    targets = TargetParser(part.probe_kinds, sources)
    expect = expand(part.expect, phases, targets, sources)
    control = controls(part.controls, targets)
    check_controls(control, expect, sources)
    ways = _ways(part, phases, expect, targets, sources) if tools else ()
    sources.problems.raise_if_any()
    return Scenario(
        name=document.path.stem,
        title=part.title,
        period=part.period,
        sources=tuple(part.sources),
        notes=part.notes.strip(),
        world=sources.world,
        seed=part.seed,
        phases=phases,
        default_phase=part.default_phase,
        expect=expect,
        controls=control,
        circumvention=ways,
        controls_place=document.place(("controls",)),
        files=dict(sorted(sources.files.items())),
        path=document.path.resolve(),
        remarks=tuple(dict.fromkeys(sources.remarks)),
    )


def _with_tools(part: ScenarioFile, world: World) -> World:
    """The world with the servers of circumvention, for rules: a run has them only if tools are tried."""
    if not part.circumvention:
        return world
    from testbed.scenario.ways import known_servers

    return replace(world, hosts=(*world.hosts, *known_servers(part.circumvention)))


def _ways(
    part: ScenarioFile,
    phases: Phases,
    expect: tuple[Expectation, ...],
    targets: TargetParser,
    sources: Sources,
) -> tuple[Circumvention, ...]:
    if not part.circumvention:
        return ()
    from testbed.scenario.ways import ways_of  # what few scenarios need is imported where they do

    return ways_of(part.circumvention, phases, expect, targets, sources)


def _with_sites(given: Mapping[str, SiteChangePart], sources: Sources) -> World:
    """The world with the behaviour that the file gives to its sites."""
    changed = sites_with(given, ("sites",), sources)
    return replace(sources.world, sites=tuple(changed.get(site.name, site) for site in sources.world.sites))


def _with_hosts(part: ScenarioFile, sources: Sources) -> World:
    """The world with the file's own hosts. Noted: the Python files that services are from."""
    from testbed.internet.services import SERVICES  # slow, and few scenarios have hosts
    from testbed.scenario.hostparts import at_vantages, hosts_of

    hosts = hosts_of(part.hosts, sources.document, sources.problems)
    known = (*(operator.key for operator in sources.world.operators), OUTSIDE)
    for vantage in part.vantages.keys() - known:
        sources.add(("vantages", vantage), f"there is no vantage {vantage!r}", nearest(vantage, known))
    beside = at_vantages(part.vantages, sources.document, sources.problems)
    hosts = (*hosts, *(host for host in beside if host.at in known))
    world = replace(sources.world, hosts=(*sources.world.hosts, *hosts))
    for kind in {type(service) for host in world.hosts for service in host.services} - set(SERVICES.values()):
        path = Path(inspect.getfile(kind))
        sources.used(path, hashlib.sha256(path.read_bytes()).hexdigest())
    note_faults(world, sources.document, sources.problems)
    return world


def _with_operators(chosen: list[str] | None, sources: Sources) -> World:
    """The world with the chosen operators only, in the order chosen; without any, with those at home."""
    if chosen is None:
        everywhere = sources.world.operators
        chosen = [one.key for one in everywhere if is_domestic(one.country, sources.world)]
    known = {operator.key: operator for operator in sources.world.operators}
    for index, key in enumerate(chosen):
        if key not in known:
            sources.add(("operators", index), f"unknown operator {key!r}", nearest(key, known))
    kept = tuple(known[key] for key in dict.fromkeys(chosen) if key in known)
    if not kept:
        return sources.world
    left_out = known.keys() - {operator.key for operator in kept}
    hosts = tuple(host for host in sources.world.hosts if host.at not in left_out)
    return replace(sources.world, operators=kept, hosts=hosts, left_out=tuple(sorted(left_out)))


def _check_use(part: ScenarioFile, sources: Sources) -> None:
    """A censor that is defined but never placed is probably a mistake."""
    if any(phase is INVALID for phase in part.phases.values()):
        return
    used = {name for phase in part.phases.values() for named in phase.censors.values() for name in named}
    for name in part.censors:
        if name not in used:
            sources.add(
                ("censors", name), f"the censor {name!r} is in no phase", "place it in one, or remove it"
            )
