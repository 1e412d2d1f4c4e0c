"""Phase parts to phases: which censor is where, and which sites and links are otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Final

from testbed.errors import nearest
from testbed.model import MOST_CENSORS, LinkQuality, Operator, Phase, PhaseLinks, Placement, Site
from testbed.scenario.expectations import ALL
from testbed.scenario.invalid import INVALID
from testbed.scenario.linkparts import PhaseLinkPart, changed_quality
from testbed.scenario.momentparts import with_ends
from testbed.scenario.policies import CensorCompiler
from testbed.scenario.problems import Loc
from testbed.scenario.schema import PhasePart, ScenarioFile
from testbed.scenario.serverpart import SiteChangePart, server_fields
from testbed.scenario.sources import Sources

PHASE_KEYS: Final = tuple(field.alias or name for name, field in PhasePart.model_fields.items())
"""The keys of a phase that no operator has."""

Compilers = Mapping[str, CensorCompiler | None]


def phases_of(part: ScenarioFile, censors: Compilers, sources: Sources) -> dict[str, Phase]:
    """Every phase of the file, in its order; problems noted."""
    phases = {name: _phase(name, given, censors, sources) for name, given in part.phases.items()}
    return with_ends(phases, part.period, sources)


def _phase(name: str, part: PhasePart, censors: Compilers, sources: Sources) -> Phase:
    loc: Loc = ("phases", name)
    if part is INVALID:
        sources.broken |= {(name, operator.key) for operator in sources.world.operators}
        return Phase()
    return Phase(
        _placements(name, part, censors, sources),
        part.title,
        part.start,
        part.until,
        dict(part.sources),
        part.notes.strip(),
        sites_with(part.sites, (*loc, "sites"), sources, lasting=False),
        _links(part.links, (*loc, "links"), sources),
    )


def sites_with(
    given: Mapping[str, SiteChangePart], loc: Loc, sources: Sources, *, lasting: bool = True
) -> dict[str, Site]:
    """The sites of the world that the file changes, by main name. Not `lasting`: in one phase only."""
    known = {name: site for site in sources.world.sites for name in site.names}
    changed: dict[str, Site] = {}
    for name, part in given.items():
        if name not in known:
            sources.add((*loc, name), f"no site of the world is called {name!r}", nearest(name, known))
            continue
        site = known[name]
        changed[site.name] = replace(changed.get(site.name, site), **server_fields(part))
        if part.edges and not lasting:
            message = "a phase cannot give a site further addresses"
            sources.add((*loc, name, "edges"), message, "give them under the file's own 'sites'")
        for field in () if lasting else ("window", "mss"):
            if getattr(part.behaviour, field):
                message = f"a server announces its {field} from its start on: a phase cannot change it"
                sources.add((*loc, name, "behaviour", field), message, "give it under the file's own 'sites'")
    return changed


def _links(given: Mapping[str, Any], loc: Loc, sources: Sources) -> dict[str, PhaseLinks]:
    known = {operator.key: operator for operator in sources.world.operators}
    changed: dict[str, PhaseLinks] = {}
    for key, part in given.items():
        if key not in known:
            remedy = nearest(key, known)
            if key in sources.world.left_out:
                remedy = "add it to 'operators'"
            sources.add((*loc, key), f"no operator {key!r} takes part", remedy)
            continue
        backbone = known[key].uplink or sources.world.backbone
        changed[key] = PhaseLinks(_changed(part.access, known[key].access), _changed(part.backbone, backbone))
    return changed


def _changed(part: PhaseLinkPart | None, link: LinkQuality) -> LinkQuality | None:
    return changed_quality(part, link) if part is not None else None


def _placements(phase: str, part: PhasePart, censors: Compilers, sources: Sources) -> tuple[Placement, ...]:
    loc: Loc = ("phases", phase)
    operators = {operator.key: operator for operator in sources.world.operators}
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


def _check_censors(lines: dict[str, list[str]], censors: Compilers, loc: Loc, sources: Sources) -> None:
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
