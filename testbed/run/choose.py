"""Which phase and which vantages a run is about. Wrong names get the nearest right one."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from testbed.errors import InputError
from testbed.scenario.model import OUTSIDE, Scenario


def phase_of(scenario: Scenario, wanted: str | None) -> str:
    """The phase asked for, or the scenario's default one."""
    if wanted is None:
        return scenario.default_phase
    return _one_of(wanted, scenario.phases, "phase", scenario)


def vantages_of(scenario: Scenario, phase: str, wanted: Sequence[str], *, single: bool) -> tuple[str, ...]:
    """The vantages asked for; without any, those that the phase is about (the first of them if `single`)."""
    if wanted:
        known = scenario.vantages()
        chosen = tuple(dict.fromkeys(_one_of(name, known, "vantage", scenario) for name in wanted))
        if single and len(chosen) > 1:
            raise InputError.at("--vantage", "a command runs as one subscriber", "give --vantage once")
        return chosen
    placed = [placement.operator for placement in scenario.phases[phase]]
    expected = [e.vantage for e in scenario.expect if e.phase == phase and e.vantage != OUTSIDE]
    concerned = tuple(dict.fromkeys([*placed, *expected])) or tuple(o.key for o in scenario.world.operators)
    ordered = tuple(key for key in scenario.vantages() if key in concerned)
    return (concerned[0],) if single else ordered


def _one_of(wanted: str, known: Iterable[str], what: str, scenario: Scenario) -> str:
    names = list(known)
    if wanted in names:
        return wanted
    near = get_close_matches(wanted, names, n=1)
    remedy = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
    raise InputError.at(f"--{what}", f"{scenario.name} has no {what} '{wanted}'", remedy)
