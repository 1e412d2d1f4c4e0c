"""Measuring with the built-in probe, inside a world."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from testbed.measurement.networks import AutonomousSystem, RoutingTable
from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE, World
from testbed.probe.log import ProbePlace, utc_now
from testbed.probe.many import BULK_TOGETHER, VantageTargets, measure_many
from testbed.run.laboratory import Laboratory
from testbed.world.netns import enter


def observe(
    laboratory: Laboratory, targets: Mapping[str, Sequence[Target]], timeout: float, ipv: int
) -> list[Measurement]:
    """Measure each vantage's targets, and all of them from outside too, where nothing filters.

    Every measurement is also a line of results.jsonl.
    """
    everywhere = {**targets, OUTSIDE: tuple(dict.fromkeys(one for some in targets.values() for one in some))}
    authority, routes, begun = _authority_file(laboratory), _routes(laboratory.scenario.world), utc_now()
    tasks = [
        VantageTargets(
            vantage,
            chosen,
            partial(enter, laboratory.beside(vantage)),
            resolver=laboratory.resolvers(vantage, ipv),
            ca_file=str(authority),
            ipv=ipv,
            place=replace(_place(laboratory, vantage), routes=routes, test_start_time=begun),
        )
        for vantage, chosen in everywhere.items()
        if chosen
    ]
    results = laboratory.folder.path / "results.jsonl"
    return measure_many(
        tasks, results, timeout=timeout, bulk_together=1 if _shared(laboratory) else BULK_TOGETHER
    )


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


def _routes(world: World) -> RoutingTable:
    """Whose the addresses of the world are. Autonomous systems have names only where they are operators'."""
    names = {operator.asn: operator.name for operator in world.operators}
    servers: list[tuple[tuple[str, ...], int]] = [
        *(((site.ipv4, site.ipv6), site.asn) for site in world.sites),
        *(((*one.ipv4, *one.ipv6), one.asn) for one in world.resolvers),
        *(((*one.ipv4, *one.ipv6), one.asn) for one in world.hosts if one.asn),
    ]
    return RoutingTable.of(
        [
            (prefix, AutonomousSystem(operator.asn, operator.name))
            for operator in world.operators
            for prefix in (operator.prefix4, operator.prefix6)
        ]
        + [
            (ip_network(address), AutonomousSystem(asn, names.get(asn, "")))
            for addresses, asn in servers
            for address in addresses
        ]
    )
