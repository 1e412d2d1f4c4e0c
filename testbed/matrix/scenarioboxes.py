"""Boxes as scenarios have them: one for each phase that blocks a name over TLS."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from testbed.errors import InputError
from testbed.matrix.contender import BLOCKED_NAME
from testbed.matrix.purebox import PureBox, boxes_of
from testbed.model import Expectation, Placement, Scenario
from testbed.scenario import library
from testbed.scenario.loader import load

_OUTCOMES = ("tls.sni.rst", "tls.sni.drop", "tls.sni.fin", "throttle", "freeze")


def boxes_named(against: Sequence[str], name: str = BLOCKED_NAME) -> list[PureBox]:
    """`models`, `profiles`, keys of either, or scenarios by name or file; `name` is what the first two block.

    Errors: InputError for what is none of these, or a scenario in which no name is blocked over TLS.
    """
    found: list[PureBox] = []
    for key in against:
        if key in library.names() or Path(key).suffix == library.SUFFIX:
            found += scenario_boxes(load(Path(key) if Path(key).suffix else key, tools=False))
        else:
            found += boxes_of([key], name)
    return list({box.key: box for box in found}.values())


def scenario_boxes(scenario: Scenario) -> list[PureBox]:
    """The box behind the first such expectation of each phase, with the name that it blocks."""
    found = {box.key: box for box in reversed([*_boxes(scenario)])}
    if not found:
        message = f"no phase of {scenario.name} blocks a name over TLS at an operator's hop"
        raise InputError.at("--against", message, "name another scenario, models or profiles")
    return [*reversed(found.values())]


def _boxes(scenario: Scenario) -> Iterator[PureBox]:
    for one in scenario.expect:
        place = _placement(scenario, one)
        if place is not None:
            key = f"{scenario.name}:{one.phase}" if len(scenario.phases) > 1 else scenario.name
            site = scenario.world_in(one.phase).site_of(one.target.host)
            yield PureBox(key, place.policy, one.target.host, place.hop, site.ipv4 if site else "")


def _placement(scenario: Scenario, one: Expectation) -> Placement | None:
    """The censor whose rule causes what is expected; None for anything else."""
    if (
        one.outcome not in _OUTCOMES
        or one.target.kind.scheme != "https"
        or one.target.host not in _sites(scenario)
    ):
        return None
    rule = one.by.rpartition("/")[2]
    for place in scenario.phases[one.phase].placements:
        if (
            place.operator == one.vantage
            and place.at == "hop"
            and any(r.name == rule for r in place.policy.rules)
        ):
            return place
    return None


def _sites(scenario: Scenario) -> set[str]:
    return {name for site in scenario.world.sites for name in site.names}
