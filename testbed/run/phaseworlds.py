"""The worlds of a scenario's phases, as one network that changes from one into the other."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from testbed.model import Scenario, Site, World
from testbed.world.plan import Plan, plan
from testbed.world.sharednumber import SharedNumber


class PhaseWorlds:
    """What differs between the phases, and which of them holds."""

    def __init__(self, scenario: Scenario, phase: str, operators: Sequence[str], *, twins: bool) -> None:
        self._scenario, self._operators, self._twins = scenario, operators, twins
        self._phases = tuple(scenario.phases)
        self.current = SharedNumber()  # of the plan that holds; processes that were forked see its changes
        self.change_to(phase)

    def change_to(self, phase: str) -> None:
        """From now on that phase holds."""
        self.phase = phase
        self.current.value = self._phases.index(phase) if len(self.plans) > 1 else 0

    @property
    def world(self) -> World:
        """As it is now."""
        return self._scenario.world_in(self.phase)

    @property
    def plan(self) -> Plan:
        """As it is now."""
        return self.plans[self.current.value]

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """One for each phase, the same but for their links' qualities; a single one if no phase has links."""
        some = any(phase.links for phase in self._scenario.phases.values())
        chosen = self._phases if some else self._phases[:1]
        return tuple(
            plan(self._scenario.world_in(phase), self._operators, twins=self._twins) for phase in chosen
        )

    @cached_property
    def changing(self) -> frozenset[str]:
        """The sites that some phase changes, and all public resolvers where one changes what they answer."""
        sites = {name for phase in self._scenario.phases.values() for name in phase.sites}
        resolvers = {one.name for one in self._scenario.world.resolvers} if self.names_change else set()
        return frozenset(sites | resolvers)

    @cached_property
    def names_change(self) -> bool:
        """Whether what is known of a name differs between phases."""
        usual = {site.name: site for site in self._scenario.world.sites}
        return any(
            _in_dns(site, usual[name])
            for phase in self._scenario.phases.values()
            for name, site in phase.sites.items()
        )


def _in_dns(site: Site, usual: Site) -> bool:
    return replace(site, behaviour=usual.behaviour, certificate=usual.certificate) != usual
