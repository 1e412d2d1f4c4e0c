"""Resolves a valid file to a scenario: looks up everything that it refers to."""

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from testbed.errors import nearest
from testbed.model import MOST_CENSORS, Operator, Placement, Scenario, World
from testbed.model.addressing import is_domestic
from testbed.scenario.document import Document
from testbed.scenario.expectations import ALL, controls, expand
from testbed.scenario.invalid import INVALID, UNKNOWN
from testbed.scenario.phaseinfo import PHASE_KEYS, phase_infos
from testbed.scenario.policies import CensorCompiler
from testbed.scenario.problems import Loc, Problems
from testbed.scenario.schema import PhasePart, ScenarioFile
from testbed.scenario.serverpart import ServerPart, server_fields
from testbed.scenario.sources import Sources
from testbed.scenario.targets import TargetParser
from testbed.scenario.worldfile import note_faults


def resolve(
    part: ScenarioFile, document: Document, world: World, world_document: Document, problems: Problems
) -> Scenario:
    """The scenario.

    InputError with the problems found before, every reference that leads nowhere, and every rule that
    cannot fire.
    """
    sources = Sources(document, world, problems)
    for each in (document, world_document):
        sources.used(each.path, each.digest)
    sources.world = _with_operators(part.operators, sources)
    sources.world = _with_sites(part.sites, sources)
    if part.hosts or sources.world.hosts:
        sources.world = _with_hosts(part.hosts, sources)
    censors = {
        name: None if given is INVALID else CensorCompiler(name, given, sources)
        for name, given in part.censors.items()
    }
    phases = {name: _placements(name, given, censors, sources) for name, given in part.phases.items()}
    infos = phase_infos(part.phases, part.period, sources)
    _check_use(part, sources)
    if part.default_phase not in phases and not (part.default_phase == UNKNOWN and problems.found):
        message = f"there is no phase {part.default_phase!r}"
        sources.add(("default_phase",), message, nearest(part.default_phase, phases))
    targets = TargetParser(part.probe_kinds, sources)
    expect = expand(part.expect, phases, targets, sources)
    control = controls(part.controls, targets)
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
        phase_infos=infos,
        files=dict(sorted(sources.files.items())),
        path=document.path.resolve(),
        remarks=tuple(dict.fromkeys(sources.remarks)),
    )


def _with_sites(given: Mapping[str, ServerPart], sources: Sources) -> World:
    """The world with the behaviour that the file gives to its sites."""
    sites = list(sources.world.sites)
    known = {name: index for index, site in enumerate(sites) for name in site.names}
    for name, part in given.items():
        if name in known:
            sites[known[name]] = replace(sites[known[name]], **server_fields(part))
        else:
            sources.add(("sites", name), f"no site of the world is called {name!r}", nearest(name, known))
    return replace(sources.world, sites=tuple(sites))


def _with_hosts(given: Mapping[str, object], sources: Sources) -> World:
    """The world with the file's own hosts. Noted: the Python files that services are from."""
    from testbed.internet.services import SERVICES  # slow, and few scenarios have hosts
    from testbed.scenario.hostparts import hosts_of

    hosts = hosts_of(given, sources.document, sources.problems)
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


def _placements(
    phase: str, part: PhasePart, censors: dict[str, CensorCompiler | None], sources: Sources
) -> tuple[Placement, ...]:
    loc: Loc = ("phases", phase)
    operators = {operator.key: operator for operator in sources.world.operators}
    if part is INVALID:
        sources.broken |= {(phase, key) for key in operators}
        return ()
    lines = dict(part.censors)
    for key in lines:
        if key not in operators and key != ALL:
            known = [*operators, ALL, *PHASE_KEYS]
            sources.add((*loc, key), f"unknown operator {key!r}", nearest(key, known))
    _check_censors(lines, censors, loc, sources)
    everywhere = lines.pop(ALL, [])
    placed: list[Placement] = []
    for key, operator in operators.items():
        taken: dict[object, list[str]] = {}
        given = key if key in lines else ALL
        for name in lines.get(key, everywhere if operator.country == "RU" else []):
            censor = censors.get(name)
            place = _place(censor, operator, (*loc, given), sources) if censor else None
            if place is None:
                sources.broken.add((phase, key))
            else:
                _check_shared(place, taken, (*loc, given), sources)
                _check_diversion(place, operator, (*loc, given), sources)
                placed.append(place)
    return tuple(placed)


def _check_diversion(place: Placement, operator: Operator, loc: Loc, sources: Sources) -> None:
    """A packet is redirected after it was routed, so its new path must still be ahead of it."""
    if place.at != "hop" or place.hop < operator.hops:
        return
    for rule in place.policy.rules:
        addresses = map(ip_address, rule.action.leads_to)
        if any(
            address in (operator.prefix4, operator.prefix6)[address.version == 6] for address in addresses
        ):
            message = (
                f"{place.policy.name!r} redirects traffic into {operator.key}'s own network from its last hop"
            )
            sources.add(loc, message, f"place it before that: hop: {operator.hops - 1}")
            return


def _check_shared(place: Placement, taken: dict[object, list[str]], loc: Loc, sources: Sources) -> None:
    """A resolver has one set of rules. A hop may have several censors, but has room for only so many."""
    where = place.hop if place.at == "hop" else "resolver"
    others = taken.setdefault(where, [])
    others.append(place.policy.name)
    if place.at == "resolver" and len(others) == 2:
        message = f"{others[0]!r} and {others[1]!r} are both at the resolver of {place.operator}"
        sources.add(loc, message, "put their rules into one censor")
    if len(others) == MOST_CENSORS + 1:
        message = f"more than {MOST_CENSORS} censors at hop {where} of {place.operator}"
        sources.add(loc, message, "put rules of the same profile into one censor, or give some another 'hop'")


def _check_censors(
    lines: dict[str, list[str]], censors: dict[str, CensorCompiler | None], loc: Loc, sources: Sources
) -> None:
    for key, named in lines.items():
        for index, name in enumerate(named):
            if name not in censors:
                sources.add((*loc, key, index), f"unknown censor {name!r}", nearest(name, censors))
            elif name in named[:index]:
                message = f"the censor {name!r} is placed twice at {key} in phase {loc[1]!r}"
                sources.add((*loc, key, index), message, "name it once")


def _place(censor: CensorCompiler, operator: Operator, loc: Loc, sources: Sources) -> Placement | None:
    policy = censor.policy(operator, loc)
    given = censor.part.hop
    hop = given if given is not None else min(censor.default_hop, operator.hops)
    if hop > operator.hops:
        message = f"hop {hop} does not exist at {operator.key}, which has {operator.hops}"
        sources.add(("censors", censor.name, "hop"), message, f"write a number from 1 to {operator.hops}")
    return Placement(operator.key, policy, hop, censor.part.at) if policy else None


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
