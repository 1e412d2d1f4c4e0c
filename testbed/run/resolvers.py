"""The operators' own resolvers. Those that never lie are served by one process together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.model import Placement, Scenario
from testbed.run.phaseworlds import PhaseWorlds
from testbed.world.build import BuiltWorld
from testbed.world.children import Body, Children, Ready
from testbed.world.scenarioclock import ScenarioClock

if TYPE_CHECKING:
    from testbed.internet.zone import Zone

TOGETHER = "resolvers"  # the service of those that never lie


def resolver_name(operator: str) -> str:
    """Of the resolver's host, and of its process where it has one."""
    return f"{operator}.resolver"


def served_alone(scenario: Scenario, phases: Iterable[str]) -> frozenset[str]:
    """Operators whose resolvers have a process each: those that lie in some of the phases.

    A resolver that asks the servers of delegated zones does so from where it is: then all of them.
    """
    if any(host.zones for host in scenario.world.hosts):
        return frozenset(operator.key for operator in scenario.world.operators)
    placements = (place for phase in phases for place in scenario.phases[phase].placements)
    return frozenset(place.operator for place in placements if place.at == "resolver")


@dataclass(frozen=True, slots=True)
class Resolvers:
    """Starts them, in one process or each in its own."""

    alone: Collection[str]  # operators, by `served_alone`
    worlds: PhaseWorlds
    folder: Path
    started_at: float
    date: ScenarioClock | None
    captured: bool

    def service_of(self, operator: str) -> str:
        """The name of the process that an operator's resolver is in."""
        return resolver_name(operator) if operator in self.alone else TOGETHER

    def start(
        self,
        services: Children,
        world: BuiltWorld,
        operators: Collection[str],
        liars: Mapping[str, Placement],
        zone: "Zone | None",
    ) -> None:
        """Start those of `operators`. `liars`: who lies now. `zone`: what they know, if it is loaded."""
        for operator in operators:
            if operator in self.alone:
                name = resolver_name(operator)
                body = self._resolver(world, operator, liars.get(operator), zone)
                services.spawn(name, body, world.namespaces[name])
        if together := [operator for operator in operators if operator not in self.alone]:
            services.spawn(TOGETHER, self._honest(world, together, zone))

    # What follows runs in the service's own process, and imports there what only that process needs.

    def _honest(self, world: BuiltWorld, operators: Sequence[str], zone: "Zone | None") -> Body:
        def serve(ready: Ready) -> None:
            from testbed.internet.dns import HonestResolver, Zone, serve_honest_resolvers

            known = zone or Zone.from_world(self.worlds.world)
            addresses = {one: _addresses(world, one) for one in operators}
            resolvers = [
                HonestResolver(world.namespaces[resolver_name(one)], own, known.seen_from(own[0]))
                for one, own in addresses.items()
            ]
            serve_honest_resolvers(resolvers, ready)

        return serve

    def _resolver(
        self, world: BuiltWorld, operator: str, lying: Placement | None, zone: "Zone | None"
    ) -> Body:
        addresses = _addresses(world, operator)

        def serve(ready: Ready) -> None:
            from testbed.internet.dns import Zone, serve_operator_resolver, truth

            known = zone or Zone.from_world(self.worlds.world)
            answer = truth(known.seen_from(addresses[0]))
            if lying is None:
                serve_operator_resolver(addresses, answer, ready)
            else:
                from testbed.middlebox.resolver import serve_lying_resolver

                place = (lying, addresses, answer, self.folder, self.started_at, ready, self.date)
                serve_lying_resolver(*place, captured=self.captured)

        return serve


def _addresses(world: BuiltWorld, operator: str) -> list[str]:
    return [str(address) for address in world.plan.resolver_address(operator)]
