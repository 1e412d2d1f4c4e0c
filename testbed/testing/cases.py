"""The marker `scenario`: which phases, vantages and models a test is about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from testbed.errors import InputError
from testbed.model import Scenario
from testbed.run.choose import one_of, phase_of
from testbed.scenario.loader import load

_KEYS: Final = ("phase", "vantage", "model", "seed", "time_scale")
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class ScenarioCase:
    """One phase of one scenario, from one vantage."""

    scenario: str  # as the marker names it
    phase: str
    vantage: str
    model: str | None = None
    seed: int | None = None
    time_scale: float | None = None

    @property
    def world(self) -> tuple[Any, ...]:
        """What tests must have in common to share a world."""
        return self.scenario, self.model, self.seed, self.time_scale

    @property
    def options(self) -> dict[str, Any]:
        """Of `open_world`."""
        given = {"model": self.model, "seed": self.seed, "time_scale": self.time_scale}
        return {name: value for name, value in given.items() if value is not None}


def cases_of(args: Iterable[Any], given: Mapping[str, Any]) -> Iterator[tuple[ScenarioCase, str]]:
    """The cases that a marker means, each with what makes it different in a test's name ("" if nothing).

    `phase`, `vantage` and `model` may be lists; phase and vantage also "all".

    Errors: InputError for a scenario, phase, vantage or argument that does not exist.
    """
    names = list(args)
    if len(names) != 1:
        raise InputError.at(
            "@pytest.mark.scenario", f"{len(names)} names", "give one scenario's name or file"
        )
    for key in given:
        one_of(key, _KEYS, "argument", "the marker scenario", "@pytest.mark.scenario")
    scenario = load(names[0])
    phases = _phases(scenario, given.get("phase"))
    models = _list(given.get("model"))
    for phase, model in product(phases, models):
        vantages = _vantages(scenario, phase, given.get("vantage"))
        for vantage in vantages:
            made = ScenarioCase(
                str(names[0]), phase, vantage, model, given.get("seed"), given.get("time_scale")
            )
            varying = [(phases, phase), (vantages, vantage), (models, str(model))]
            yield made, "-".join(word for words, word in varying if len(words) > 1)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _phases(scenario: Scenario, asked: Any) -> list[str]:
    if asked == ALL:
        return list(scenario.phases)
    return [phase_of(scenario, one) for one in _list(asked)]


def _vantages(scenario: Scenario, phase: str, asked: Any) -> list[str]:
    concerned = [place.operator for place in scenario.phases[phase].placements]
    concerned += [one.vantage for one in scenario.expect if one.phase == phase]
    ordered = [one for one in scenario.vantages() if one in concerned] or list(scenario.vantages())
    if asked == ALL:
        return ordered
    return [
        ordered[0] if one is None else one_of(one, scenario.vantages(), "vantage", scenario.name)
        for one in _list(asked)
    ]
