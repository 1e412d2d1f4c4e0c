"""Measuring with the built-in probe, inside a world; and looking closer at what it finds blocked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from testbed.measurement.networks import AutonomousSystem
from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import DIRECT, Passage
from testbed.measurement.target import Target, is_address
from testbed.model import OUTSIDE
from testbed.model.announced import announced_by
from testbed.probe.fieldsite import CONTROL, FieldPlan, FieldSite
from testbed.probe.log import ProbePlace, utc_now
from testbed.probe.many import BULK_TOGETHER, VantageTargets, measure_many
from testbed.run.laboratory import Laboratory
from testbed.scenario.labels import CAUSELESS
from testbed.truth.classify import classify
from testbed.world.netns import Namespace, enter


def observe(
    laboratory: Laboratory, targets: Mapping[str, Sequence[Target]], timeout: float, ipv: int
) -> list[Measurement]:
    """Measure each vantage's targets, and all of them from outside too, where nothing filters.

    Every measurement is also a line of results.jsonl.
    """
    given = tuple(targets.get(OUTSIDE, ()))  # as often as it is expected there
    further = dict.fromkeys(one for some in targets.values() for one in some if one not in given)
    everywhere = {**targets, OUTSIDE: (*given, *further)}
    wanted = [
        ToMeasure(vantage, chosen, laboratory.beside(vantage))
        for vantage, chosen in everywhere.items()
        if chosen
    ]
    return observe_each(laboratory, wanted, "results.jsonl", timeout, ipv)


@dataclass(frozen=True, slots=True)
class ToMeasure:
    """Targets to measure from a vantage: from which of its machines, and by which way."""

    vantage: str
    targets: Sequence[Target]
    machine: Namespace
    passage: Passage = DIRECT


def observe_each(
    laboratory: Laboratory, wanted: Sequence[ToMeasure], results: str, timeout: float, ipv: int
) -> list[Measurement]:
    """Measure all of them side by side, in their order; each is also a line of the file `results`."""
    authority, routes, begun = _authority_file(laboratory), announced_by(laboratory.scenario.world), utc_now()
    tasks = [
        VantageTargets(
            one.vantage,
            one.targets,
            partial(enter, one.machine),
            resolver=laboratory.resolvers(one.vantage, ipv),
            ca_file=str(authority),
            ipv=ipv,
            place=replace(
                _place(laboratory, one.vantage), routes=routes, test_start_time=begun, date=laboratory.date
            ),
            passage=one.passage,
        )
        for one in wanted
    ]
    together = 1 if _shared(laboratory) else BULK_TOGETHER
    return measure_many(tasks, laboratory.folder.path / results, timeout=timeout, bulk_together=together)


def observe_closer(
    laboratory: Laboratory,
    targets: Mapping[str, Sequence[Target]],
    measurements: Sequence[Measurement],
    instruments: Sequence[str],
    ipv: int,
) -> list[Measurement]:
    """The measurements, with a closer look at each target that the probe finds blocked at a vantage.

    results.jsonl is written anew. The looks come after all measurements, because blocks stay for a while.
    """
    from testbed.probe.closer import SitesAtVantage, look_closer  # few runs need it

    outside = {one.target: one for one in reversed(measurements) if one.vantage == OUTSIDE}
    blocked: dict[str, dict[str, int]] = {}  # vantage -> target -> number of its first such measurement
    for number, one in enumerate(measurements):
        if one.vantage != OUTSIDE and classify(one, outside.get(one.target)) not in CAUSELESS:
            blocked.setdefault(one.vantage, {}).setdefault(one.target, number)
    plan = FieldPlan(
        control=next((one.host for one in laboratory.scenario.controls if not is_address(one.host)), CONTROL),
        encrypted=(),
        ipv=ipv,
        ca_file=str(_authority_file(laboratory)),
        instruments=tuple(instruments),
    )
    known = {one.url: one for some in targets.values() for one in some}
    tasks = [
        SitesAtVantage(
            vantage,
            [
                FieldSite(known[url], replace(plan, resolver=laboratory.resolvers(vantage, ipv)),
                          _addresses_in(outside.get(url)))
                for url in some
            ],
            partial(enter, laboratory.beside(vantage)),
        )
        for vantage, some in blocked.items()
    ]  # fmt: skip
    made = list(measurements)
    for (_, some), looks in zip(blocked.items(), look_closer(tasks), strict=True):
        for number, found in zip(some.values(), looks, strict=True):
            one = made[number]
            made[number] = replace(one, test_keys=replace(one.test_keys, closer=found))
    laboratory.folder.write_lines("results.jsonl", (one.to_json() for one in made))
    return made


def _addresses_in(measurement: Measurement | None) -> tuple[str, ...]:
    """The addresses that the target's name has outside."""
    queries = measurement.test_keys.queries if measurement else ()
    answers = [answer for query in queries for answer in query.answers]
    return tuple(text for one in answers if (text := one.ipv4 or one.ipv6))


def _shared(laboratory: Laboratory) -> bool:
    """Whether bulk transfers of one vantage would slow each other down: a link's rate, a limit per host."""
    links = any(link.quality.rate for link in laboratory.world.plan.links)
    return links or any(
        rule.action.limits_host for placement in laboratory.placements for rule in placement.policy.rules
    )


def _authority_file(laboratory: Laboratory) -> Path:
    path = laboratory.folder.path / "authority.pem"
    path.write_text(laboratory.authority.root_pem)
    return path


def _place(laboratory: Laboratory, vantage: str) -> ProbePlace:
    if vantage == OUTSIDE:
        return ProbePlace(vantage, AutonomousSystem(0, "outside"))
    operator = laboratory.scenario.world.operator(vantage)
    return ProbePlace(vantage, AutonomousSystem(operator.asn, operator.name), operator.country)
