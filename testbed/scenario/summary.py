"""A scenario's rules and expectations as lines of text, grouped so that nothing is repeated."""

import dataclasses
from typing import Any

from testbed.censor.actions.base import AnyAction
from testbed.model import OUTSIDE, Expectation, LinkQuality, Phase, PhaseLinks, Scenario
from testbed.scenario.inspection import other_models

_SHOWN = 5  # entries of a list


def rule_lines(scenario: Scenario) -> list[str]:
    """One line per rule of every policy: "tspu (t22) social-reset: tls.sni a, b -> rst-rewrite"."""
    lines: dict[str, None] = {}
    for phase in scenario.phases.values():
        for place in phase.placements:
            for rule in place.policy.rules:
                looks = ", ".join(f"{key} {_text(value)}" for key, value in rule.match.to_json().items())
                profile = place.policy.profile
                models = other_models(profile)
                box = f"{profile.name}, model {models}" if models else profile.name
                head = f"{place.policy.name} ({box}) {rule.name}"
                lines[f"{head}: {looks} -> {_action(rule.action)}"] = None
    return list(lines)


def host_lines(scenario: Scenario) -> list[str]:
    """One line per host: "vpn: vpn.example.net, 95.216.1.10, 2a01:4f9:0:1::10, AS24940: echo, command"."""
    lines = []
    for host in scenario.world.hosts:
        place = f"at {host.at}" if host.at else ", ".join((*host.ipv4, *host.ipv6, f"AS{host.asn}"))
        services = ", ".join(service.key for service in host.services)
        lines.append(f"{host.key}: {', '.join((*host.names, place))}: {services}")
    return lines


def phase_lines(phase: Phase) -> list[str]:
    """When the phase was, who says so, what is uncertain, and what differs of the world: what is known."""
    times = {"from": phase.start, "until": phase.end}
    time = " ".join(f"{word} {at:%Y-%m-%d %H:%M}" for word, at in times.items() if at is not None)
    sources = ", ".join(f"{key} ({confidence})" for key, confidence in phase.sources.items())
    lines = [f"{time} UTC" if time else "", f"sources: {sources}" if sources else "", phase.notes]
    lines += [f"otherwise: {', '.join(phase.sites)}" if phase.sites else ""]
    lines += [f"{key}: {_links(links)}" for key, links in phase.links.items()]
    return [line for line in lines if line]


def _links(links: PhaseLinks) -> str:
    """The links of an operator in a phase: "backbone: loss 20 %"."""
    given = {"access": links.access, "backbone": links.backbone}
    return "; ".join(f"{name}: {_quality(link)}" for name, link in given.items() if link is not None)


def _quality(link: LinkQuality) -> str:
    dead = {(): "", (4, 6): "dead"}.get(link.dead, f"dead for IPv{', '.join(map(str, link.dead))}")
    parts = [
        dead,
        f"loss {100 * link.loss:g} %" if link.loss else "",
        f"delay {1000 * link.delay:g} ms" if link.delay else "",
        f"jitter {1000 * link.jitter:g} ms" if link.jitter else "",
        f"rate {link.rate / 1000:g} kbit/s" if link.rate else "",
    ]
    return ", ".join(part for part in parts if part) or "perfect"


def _limits(each: Expectation) -> str:
    """What an expectation says beside its outcome: " 130-150 kbit/s", " in 30-70 % of 20 tries"."""
    rate = f" {each.rate[0] / 1000:g}-{each.rate[1] / 1000:g} kbit/s" if each.rate else ""
    size = f" after {each.received[0]:g}-{each.received[1]:g} bytes" if each.received else ""
    low, high = each.share or (1.0, 1.0)
    part = f"{100 * low:g}-{100 * high:g} % of " if each.share else ""
    tries = f" in {part}{each.tries} tries" if each.tries > 1 else ""
    return f"{rate}{size}{tries}" + (f" over IPv{each.ipv}" if each.ipv else "")


def expectation_lines(scenario: Scenario) -> list[str]:
    """One line per target and outcome: "substring  throttle  https://… from mts, beeline (by rule)"."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for each in scenario.expect:
        said = f"{each.outcome}{_limits(each)}"
        key = (each.phase, said, each.target.url, f" (by {each.by})" if each.by else "")
        grouped.setdefault(key, []).append(each.vantage)
    everyone = len(scenario.vantages()) - 1
    return [
        f"{phase}: {outcome}  {url} from {_vantages(vantages, everyone)}{by}"
        for (phase, outcome, url, by), vantages in grouped.items()
    ]


def way_lines(scenario: Scenario) -> list[str]:
    """One line per circumvention and target: "block: splitter  https://… from mts must get through"."""
    grouped: dict[tuple[str, ...], list[str]] = {}
    for way in scenario.circumvention:
        must = f"must fail by {way.fails_by}" if way.fails_by else "must get through"
        tool = f" ({way.recipe.name})" if way.recipe.name != way.name else ""
        grouped.setdefault((way.phase, f"{way.name}{tool}", way.target.url, must), []).append(way.vantage)
    everyone = len(scenario.vantages()) - 1
    return [
        f"{phase}: {name}  {url} from {_vantages(vantages, everyone)} {must}"
        for (phase, name, url, must), vantages in grouped.items()
    ]


def _vantages(vantages: list[str], everyone: int) -> str:
    every = len(vantages) == everyone and OUTSIDE not in vantages and everyone > 1
    return "every operator" if every else ", ".join(vantages)


def _action(action: AnyAction) -> str:
    """The key, and the parameters that differ from their defaults."""
    changed = {
        field.name: getattr(action, field.name)
        for field in dataclasses.fields(action)
        if getattr(action, field.name) != field.default
    }
    inside = ", ".join(f"{name} {_text(value)}" for name, value in changed.items())
    return f"{action.key} ({inside})" if inside else action.key


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, list | tuple):
        more = f", … ({len(value)})" if len(value) > _SHOWN else ""
        return ", ".join(map(str, value[:_SHOWN])) + more
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    first, more, _ = text.partition("\n")  # a block page has many lines, and this is one
    return f"{first} … ({len(text)} characters)" if more else text
