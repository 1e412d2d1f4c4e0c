"""A standing world with everything in it at work: far side, resolvers, censors, delay line."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from testbed.errors import InvalidRunError
from testbed.internet.authority import Authority
from testbed.run.folder import RunFolder
from testbed.scenario.loader import policy_again
from testbed.scenario.model import OUTSIDE, Placement, Scenario
from testbed.world import delay
from testbed.world.build import BuiltWorld, build
from testbed.world.plan import plan
from testbed.world.services import Services, Target

Ready = Callable[[], None]
READY_WITHIN = 30.0  # seconds; our choice: generous, for machines under load


class Laboratory:
    """Builds the world of one phase for some operators. Use it inside `run_isolated`, with `with`."""

    def __init__(self, scenario: Scenario, phase: str, operators: tuple[str, ...], folder: RunFolder) -> None:
        self.scenario, self.phase, self.operators, self.folder = scenario, phase, operators, folder
        self.placements = tuple(p for p in scenario.phases[phase] if p.operator in operators)
        self.authority = Authority.create()
        self.started_at = time.monotonic()
        self._stack = ExitStack()
        self._services: Services | None = None
        self._world: BuiltWorld | None = None

    @property
    def world(self) -> BuiltWorld:
        """The namespaces, once built."""
        assert self._world is not None, "not entered"
        return self._world

    def __enter__(self) -> Self:
        self._services = self._stack.enter_context(Services(self.folder.path / "logs"))
        try:
            self._world = build(plan(self.scenario.world, self.operators))
            self._start(self._services)
            self._services.wait_ready(READY_WITHIN)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self) -> None:
        """InvalidRunError if a server, a censor or the delay line is dead."""
        assert self._services is not None
        self._services.check()

    def finish(self) -> list[str]:
        """Stop everything, so that receipts are written; what went wrong while stopping, or had before."""
        assert self._services is not None
        try:
            self._services.check()
            problems = []
        except InvalidRunError as dead:
            problems = [str(dead)]
        ended = self._services.stop()
        told = "\n".join(problems)
        return problems + [
            f"{name}: {status}" for name, status in ended.items() if not status.ok and name not in told
        ]

    def resolvers(self, vantage: str, ipv: int = 4) -> tuple[str, ...]:
        """The resolver addresses that a subscriber's machine is given."""
        if vantage == OUTSIDE:
            public = self.scenario.world.resolvers[0]
            return public.ipv4[:1] + public.ipv6[:1] if ipv == 4 else public.ipv6[:1] + public.ipv4[:1]
        four, six = self.world.plan.resolver_address(vantage)
        return (str(four), str(six)) if ipv == 4 else (str(six), str(four))

    def _start(self, services: Services) -> None:
        namespaces = self.world.namespaces
        services.spawn("far", self._far_side, namespaces["far"])
        if delay.needed(self.world.plan):
            services.spawn("delay", delay.service(self.world, self.scenario.seed, self.folder.path))
        for placement in self.placements:
            if placement.at == "hop":
                hop = namespaces[f"{placement.operator}.hop{placement.hop}"]
                services.spawn(placement.name.replace("/", "."), self._censor(placement), hop)
        for operator in self.operators:
            name = f"{operator}.resolver"
            services.spawn(name, self._resolver(operator), namespaces[name])

    # What follows runs in the service's own process, and imports there what only that process needs.

    def _far_side(self, ready: Ready) -> None:
        from testbed.internet.far_side import serve_far_side

        serve_far_side(self.scenario.world, self.authority, ready)

    def _censor(self, placement: Placement) -> Target:
        def serve(ready: Ready) -> None:
            from testbed.middlebox.loop import serve_censor

            scale, seed, path = self.scenario.time_scale, self.scenario.seed, self.scenario.path
            reread = partial(policy_again, path, self.phase, placement.name) if path else None
            serve_censor(placement, seed, self.folder.path, self.started_at, scale, ready, reread)

        return serve

    def _resolver(self, operator: str) -> Target:
        lying = next((p for p in self.placements if p.operator == operator and p.at == "resolver"), None)
        addresses = [str(address) for address in self.world.plan.resolver_address(operator)]

        def serve(ready: Ready) -> None:
            from testbed.internet.dns import Zone, serve_operator_resolver, truth

            answer = truth(Zone.from_world(self.scenario.world).seen_from(addresses[0]))
            if lying is None:
                serve_operator_resolver(addresses, answer, ready)
            else:
                from testbed.middlebox.resolver import serve_lying_resolver

                serve_lying_resolver(lying, addresses, answer, self.folder.path, self.started_at, ready)

        return serve
