"""Several scenarios of one world as one scenario, whose phases are called SCENARIO:PHASE."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from testbed.errors import InputError
from testbed.model import Expectation, Phase, Scenario, World

T = TypeVar("T")


def together(scenarios: Sequence[Scenario]) -> Scenario:
    """The world has the operators, sites, resolvers and hosts of all of them; a single one is left as it is.

    Where a scenario changes a site for itself, its phases do so. A control stays one if all have it; of the
    others it is an expectation of their own phases. Methods of circumvention are left out.

    Errors: InputError for worlds or settings that do not fit together.
    """
    first = scenarios[0]
    if len(scenarios) == 1:
        return first
    names = [one.name for one in scenarios]
    for name in names:
        if names.count(name) > 1:
            raise InputError.at("NAME", f"{name} is named twice", "name each scenario once")
    for what in ("time_scale", "model"):
        _must_agree(scenarios, what, lambda one, what=what: getattr(one, what))  # type: ignore[misc]
    world = _world(scenarios)
    common = [one for one in first.controls if all(one in other.controls for other in scenarios)]
    return replace(
        first,
        name="+".join(names),
        title=", then: ".join(one.title for one in scenarios),
        period=f"{first.period.partition('/')[0]}/{scenarios[-1].period.rpartition('/')[2]}",
        sources=tuple(dict.fromkeys(source for one in scenarios for source in one.sources)),
        notes="\n".join(one.notes for one in scenarios if one.notes),
        world=world,
        phases={
            f"{one.name}:{name}": _at_home(phase, one, world)
            for one in scenarios
            for name, phase in one.phases.items()
        },
        default_phase=f"{first.name}:{first.default_phase}",
        expect=tuple(
            replace(expectation, phase=f"{one.name}:{expectation.phase}")
            for one in scenarios
            for expectation in (*one.expect, *_former_controls(one, common))
        ),
        controls=tuple(common),
        circumvention=(),
        files={name: digest for one in scenarios for name, digest in one.files.items()},
        path=None,
        remarks=tuple(remark for one in scenarios for remark in one.remarks),
    )


def _former_controls(scenario: Scenario, common: Iterable[object]) -> list[Expectation]:
    """What one scenario alone has as a control: it is ok in its phases, where nothing else is expected."""
    known = {(one.phase, one.vantage, one.target) for one in scenario.expect}
    return [
        Expectation(phase, operator.key, target, "ok")
        for target in scenario.controls
        if target not in common
        for phase in scenario.phases
        for operator in scenario.world.operators
        if (phase, operator.key, target) not in known
    ]


def _must_agree(scenarios: Sequence[Scenario], what: str, of: Callable[[Scenario], object]) -> None:
    first = scenarios[0]
    for other in scenarios[1:]:
        if of(other) != of(first):
            message = f"{first.name} has the {what} {of(first)!r}, and {other.name} {of(other)!r}"
            raise InputError.at("NAME", message, "name scenarios of one world")


def _world(scenarios: Sequence[Scenario]) -> World:
    _must_agree(scenarios, "world", lambda one: one.world.name)
    for what in ("transit", "backbone"):
        _must_agree(scenarios, what, lambda one, what=what: getattr(one.world, what))  # type: ignore[misc]
    operators = _union(scenarios, "operator", lambda one: {x.key: x for x in one.world.operators})
    keys = {operator.key for operator in operators}
    return replace(
        scenarios[0].world,
        operators=operators,
        sites=_first_of(lambda one: {x.name: x for x in one.world.sites}, scenarios),
        resolvers=_union(scenarios, "resolver", lambda one: {x.name: x for x in one.world.resolvers}),
        hosts=_union(scenarios, "host", lambda one: {x.key: x for x in one.world.hosts}),
        left_out=tuple(
            dict.fromkeys(key for one in scenarios for key in one.world.left_out if key not in keys)
        ),
    )


def _union(
    scenarios: Sequence[Scenario], what: str, parts: Callable[[Scenario], dict[str, T]]
) -> tuple[T, ...]:
    """All their parts of a kind; InputError if two have different ones of one name."""
    found: dict[str, tuple[str, T]] = {}
    for scenario in scenarios:
        for key, part in parts(scenario).items():
            owner, known = found.setdefault(key, (scenario.name, part))
            if part != known:
                message = f"{owner} and {scenario.name} have different {what}s called {key!r}"
                raise InputError.at("NAME", message, "play them one at a time")
    return tuple(part for _, part in found.values())


def _first_of(parts: Callable[[Scenario], dict[str, T]], scenarios: Sequence[Scenario]) -> tuple[T, ...]:
    found: dict[str, T] = {}
    for scenario in scenarios:
        found = {**parts(scenario), **found}
    return tuple(found.values())


def _at_home(phase: Phase, scenario: Scenario, world: World) -> Phase:
    """The phase with the sites that its own scenario has otherwise than the joined world."""
    own = {site.name: site for site in scenario.world.sites}
    sites = {site.name: own[site.name] for site in world.sites if own.get(site.name, site) != site}
    return replace(phase, sites={**sites, **phase.sites})
