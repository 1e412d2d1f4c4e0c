"""Measuring with the built-in probe, inside a world."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from testbed.measurement.ooni import Measurement
from testbed.measurement.target import Target
from testbed.model import OUTSIDE
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
    authority = _authority_file(laboratory)
    tasks = [
        VantageTargets(
            vantage,
            chosen,
            partial(enter, laboratory.world.namespaces[vantage]),
            resolver=laboratory.resolvers(vantage, ipv),
            ca_file=str(authority),
            ipv=ipv,
            about=_about(laboratory, vantage),
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


def _about(laboratory: Laboratory, vantage: str) -> dict[str, str]:
    if vantage == OUTSIDE:
        return {"probe_cc": "ZZ", "probe_asn": "AS0", "probe_network_name": "outside"}
    operator = laboratory.scenario.world.operator(vantage)
    return {
        "probe_cc": operator.country,
        "probe_asn": f"AS{operator.asn}",
        "probe_network_name": operator.name,
    }
