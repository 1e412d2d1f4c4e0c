"""A resolved scenario as plain JSON values: for the run folder, and for other programs."""

import dataclasses
import json
from hashlib import blake2b
from typing import Any

from testbed.censor.policy import Policy
from testbed.model import (
    Circumvention,
    Expectation,
    Host,
    HostService,
    LinkQuality,
    Operator,
    Phase,
    PhaseLinks,
    Placement,
    Scenario,
    Site,
    World,
)


def to_json(scenario: Scenario) -> dict[str, Any]:
    """Everything that decides a run, in a stable order; long lists by count and digest."""
    return {
        "name": scenario.name,
        "title": scenario.title,
        "period": scenario.period,
        "sources": list(scenario.sources),
        "notes": scenario.notes,
        "seed": scenario.seed,
        "time_scale": scenario.time_scale,
        "default_phase": scenario.default_phase,
        "phases": {name: _phase(phase) for name, phase in scenario.phases.items()},
        "expect": [_expectation(each) for each in scenario.expect],
        "controls": [target.url for target in scenario.controls],
        "circumvention": [_way(each) for each in scenario.circumvention],
        "world": _world(scenario.world),
        "files": dict(sorted(scenario.files.items())),
        "remarks": list(scenario.remarks),
    }


def digest_of(scenario: Scenario) -> str:
    """Of all that a scenario is, its world included."""
    text = json.dumps(to_json(scenario), sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "title": phase.title,
        "from": phase.start.isoformat() if phase.start else None,
        "until": phase.end.isoformat() if phase.end else None,
        "sources": dict(phase.sources),
        "notes": phase.notes,
        "placements": [_placement(each) for each in phase.placements],
        "sites": [_server(site) for site in phase.sites.values()],
        "links": {key: _phase_links(links) for key, links in phase.links.items()},
    }


def _phase_links(links: PhaseLinks) -> dict[str, Any]:
    given = {"access": links.access, "backbone": links.backbone}
    return {name: _link(link) for name, link in given.items() if link is not None}


def _placement(placement: Placement) -> dict[str, Any]:
    where = {"hop": placement.hop} if placement.at == "hop" else {}
    return {
        "name": placement.name,
        "operator": placement.operator,
        "at": placement.at,
        **where,
        **_policy(placement.policy),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "profile": policy.profile.name,
        "models": dict(policy.profile.models.value),
        "miss": dict(sorted(policy.miss.items())),
        "bypass": policy.bypass,
        "off": [list(each) for each in policy.off],
        "upstream_only": policy.upstream_only,
        "rules": [
            {
                "name": rule.name,
                "match": rule.match.to_json(),
                "action": {rule.action.key: dataclasses.asdict(rule.action)},
            }
            for rule in policy.rules
        ],
    }


def _expectation(expectation: Expectation) -> dict[str, Any]:
    return {
        "phase": expectation.phase,
        "vantage": expectation.vantage,
        "target": expectation.target.url,
        "outcome": expectation.outcome,
        "by": expectation.by,
        "rate": list(expectation.rate) if expectation.rate else None,
        "received": list(expectation.received) if expectation.received else None,
        "ip": expectation.ipv,
        "tries": expectation.tries,
        "share": list(expectation.share) if expectation.share else None,
    }


def _way(way: Circumvention) -> dict[str, Any]:
    recipe = way.recipe
    return {
        "name": way.name,
        "phase": way.phase,
        "vantage": way.vantage,
        "target": way.target.url,
        "fails_by": way.fails_by,
        "direct": way.direct,
        "instead_of": {**dataclasses.asdict(way.instead_of), "target": way.compared_target.url},
        "server": [*way.server.ipv4, *way.server.ipv6] if way.server else None,
        "recipe": {
            "name": recipe.name,
            "title": recipe.title,
            "passage": dataclasses.asdict(recipe.passage),
            "programs": list(recipe.programs),
            "modules": list(recipe.modules),
            "devices": list(recipe.devices),
            "needs": list(recipe.needs),
            "way": {recipe.way.key: dataclasses.asdict(recipe.way)} if recipe.way.key else None,
            "client": [_service(service) for service in recipe.client],
            "server": [_service(service) for service in recipe.server],
        },
    }


def _service(service: HostService) -> dict[str, Any]:
    """Without the folder of its recipe, which is another one on each machine."""
    fields = dataclasses.asdict(service)
    return {service.key: {key: value for key, value in fields.items() if key != "folder"}}


def _world(world: World) -> dict[str, Any]:
    return {
        "name": world.name,
        "backbone": _link(world.backbone),
        "transit": world.transit,
        "operators": [_operator(operator) for operator in world.operators],
        "sites": [_server(site) for site in world.sites],
        "resolvers": [_plain(resolver) for resolver in world.resolvers],
        "hosts": [_host(host) for host in world.hosts],
    }


def _host(host: Host) -> dict[str, Any]:
    services = [{service.key: dataclasses.asdict(service)} for service in host.services]
    return {**_server(host), "services": services}


def _server(server: Site | Host) -> dict[str, Any]:
    """Of its behaviour, what is not ordinary."""
    behaviour = {
        field.name: value
        for field in dataclasses.fields(server.behaviour)
        if (value := getattr(server.behaviour, field.name)) != field.default
    }
    return {**_plain(server), "behaviour": behaviour}


def _operator(operator: Operator) -> dict[str, Any]:
    prefixes = {"prefix4": str(operator.prefix4), "prefix6": str(operator.prefix6)}
    uplink = {"uplink": _link(operator.uplink) if operator.uplink else None}
    return {**_plain(operator), **prefixes, "access": _link(operator.access), **uplink}


def _link(link: LinkQuality) -> dict[str, Any]:
    return _plain(link)


def _plain(value: Any) -> dict[str, Any]:
    """A flat dataclass; tuples become lists."""
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {key: list(each) if isinstance(each, tuple) else each for key, each in fields.items()}
