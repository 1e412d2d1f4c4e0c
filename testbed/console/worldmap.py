"""The map of a world in one phase, for the page to draw: operators, hops, boxes, sites. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from testbed.censor.models import MODELS
from testbed.errors import printable
from testbed.model import OUTSIDE

_MOST_SITES: Final = 40  # that are drawn; our choice


def worldmap(
    scenario: Mapping[str, Any], phase: str, vantages: Sequence[str], titles: Mapping[str, str]
) -> dict[str, Any]:
    """The map of `scenario` (scenario.json) in `phase`. `titles`: phase -> title, in their order."""
    world = scenario.get("world", {})
    placements = scenario.get("phases", {}).get(phase, {}).get("placements", ())
    servers = (*world.get("sites", ()), *world.get("hosts", ()))
    sites = [str([*one.get("names", ()), one.get("key", "")][0]) for one in servers]
    return {
        "scenario": scenario.get("name", ""),
        "title": printable(str(scenario.get("title", ""))),
        "phase": phase,
        "phases": [{"name": name, "title": printable(title)} for name, title in titles.items()],
        "operators": [
            {
                "key": one["key"],
                "name": printable(str(one["name"])),
                "asn": one["asn"],
                "hops": one["hops"],
                "boxes": [_box(each) for each in placements if each["operator"] == one["key"]],
            }
            for one in world.get("operators", ())
            if one["key"] in vantages
        ],
        "outside": OUTSIDE in vantages,
        "vantages": list(vantages),
        "sites": [printable(name) for name in sites[:_MOST_SITES]],
        "more_sites": max(0, len(sites) - _MOST_SITES),
        "models": list(MODELS),
    }


def _box(placement: Mapping[str, Any]) -> dict[str, Any]:
    rules = placement.get("rules", ())
    return {
        "name": placement["name"],
        "at": placement["at"],
        "hop": placement.get("hop", 0),
        "profile": placement.get("profile", ""),
        "models": sorted(placement.get("models", {})),
        "rules": [{"name": rule["name"], "does": _does(rule)} for rule in rules],
        "limit": min((limit for rule in rules if (limit := _rate(rule))), default=None),
    }


def _does(rule: Mapping[str, Any]) -> str:
    action = rule.get("action", {})
    return ", ".join(action) if isinstance(action, dict) else str(action)


def _rate(rule: Mapping[str, Any]) -> float | None:
    """The bit/s of a rule that polices or shapes."""
    action = rule.get("action", {})
    for given in action.values() if isinstance(action, dict) else ():
        if isinstance(given, dict) and isinstance(given.get("rate"), int | float):
            return float(given["rate"])
    return None
