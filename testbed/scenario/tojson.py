"""A resolved scenario as plain JSON values: for the run folder, and for other programs."""

import dataclasses
from typing import Any

from testbed.censor.policy import Policy
from testbed.model import (
    Expectation,
    Host,
    LinkQuality,
    Operator,
    PhaseInfo,
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
        "phases": {
            name: {
                **_phase_info(scenario.phase_infos[name]),
                "placements": [_placement(each) for each in placements],
            }
            for name, placements in scenario.phases.items()
        },
        "expect": [_expectation(each) for each in scenario.expect],
        "controls": [target.url for target in scenario.controls],
        "world": _world(scenario.world),
        "files": dict(sorted(scenario.files.items())),
        "remarks": list(scenario.remarks),
    }


def _phase_info(info: PhaseInfo) -> dict[str, Any]:
    return {
        "title": info.title,
        "from": info.start.isoformat() if info.start else None,
        "until": info.end.isoformat() if info.end else None,
        "sources": dict(info.sources),
        "notes": info.notes,
    }


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
    return {**_plain(operator), **prefixes, "access": _link(operator.access)}


def _link(link: LinkQuality) -> dict[str, Any]:
    return dataclasses.asdict(link)


def _plain(value: Any) -> dict[str, Any]:
    """A flat dataclass; tuples become lists."""
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {key: list(each) if isinstance(each, tuple) else each for key, each in fields.items()}
