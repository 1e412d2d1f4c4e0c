"""Which phase and which vantages a run is about. A wrong name is answered with the nearest right one."""

from collections.abc import Iterable, Sequence

from testbed.errors import InputError, nearest
from testbed.model import OUTSIDE, Scenario
from testbed.scenario.moments import moment


def phase_of(scenario: Scenario, asked: str | None) -> str:
    """The phase asked for by name, or by a time that lies in it; without any, the scenario's default one."""
    if asked is None:
        return scenario.default_phase
    time = moment(asked)
    if time is not None and asked not in scenario.phases:
        found = scenario.phase_at(time)
        if found is None:
            remedy = f"see testbed show {scenario.name}"
            raise InputError.at("--phase", f"no phase of {scenario.name} has the time {asked}", remedy)
        return found
    return one_of(asked, scenario.phases, "phase", scenario.name)


def vantages_of(scenario: Scenario, phase: str, asked: Sequence[str], *, single: bool) -> tuple[str, ...]:
    """The vantages asked for; without any, those that the phase is about (the first of them if `single`)."""
    if asked:
        known = scenario.vantages()
        return tuple(dict.fromkeys(one_of(name, known, "vantage", scenario.name) for name in asked))
    placed = [placement.operator for placement in scenario.phases[phase].placements]
    expected = [e.vantage for e in scenario.expect if e.phase == phase and e.vantage != OUTSIDE]
    concerned = tuple(dict.fromkeys([*placed, *expected])) or tuple(o.key for o in scenario.world.operators)
    ordered = tuple(key for key in scenario.vantages() if key in concerned)
    return (concerned[0],) if single else ordered


def concerned(scenario: Scenario) -> tuple[str, ...]:
    """The operators that any phase concerns: the world may be switched to it."""
    placed = {place.operator for phase in scenario.phases.values() for place in phase.placements}
    placed |= {operator for phase in scenario.phases.values() for operator in phase.links}
    named = placed | {one.vantage for one in scenario.expect}
    found = tuple(key for key in scenario.vantages() if key in named and key != OUTSIDE)
    return found or tuple(operator.key for operator in scenario.world.operators)


def one_of(asked: str, known: Iterable[str], what: str, where: str, place: str = "") -> str:
    """`asked`, if it is one of `known`; else InputError that names the nearest."""
    known = tuple(known)
    if asked in known:
        return asked
    raise InputError.at(place or f"--{what}", f"{where} has no {what} {asked!r}", nearest(asked, known))
