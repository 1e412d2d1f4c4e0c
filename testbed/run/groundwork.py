"""The network of a run: a process of its own builds it, while this one loads what will be at work there."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from testbed.model import Scenario
from testbed.run.phaseworlds import PhaseWorlds
from testbed.world import confine
from testbed.world.build import BuiltWorld, build
from testbed.world.children import Call
from testbed.world.netns import Namespace
from testbed.world.plan import Plan


class Groundwork:
    """Begins when made, inside `run_isolated`."""

    def __init__(
        self,
        scenario: Scenario,
        phase: str,
        operators: Sequence[str],
        *,
        twins: bool = False,
        networks: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`twins`: with a second subscriber at each vantage.

        `networks`: vantages whose network namespaces exist already, with a descriptor of each.
        """
        self.worlds = PhaseWorlds(scenario, phase, operators, twins=twins)
        self._plan = self.worlds.plan
        self._building = Call(partial(_build, self._plan, networks), name="the building of the world")

    def built(self) -> BuiltWorld:
        """The network, once it is built. Call it once. Errors: as `testbed.world.build.build`."""
        self._building.result()
        confine.gate()  # of this process, too: those that it forks from now on mount over /run
        return BuiltWorld(self._plan, {node.name: Namespace.open(node.name) for node in self._plan.nodes})


def _build(plan: Plan, networks: Mapping[str, int]) -> None:
    build(plan, networks)  # its descriptors end with this process; the namespaces have names
