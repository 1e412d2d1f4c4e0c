"""A world with everything in it at work: far side, resolvers, censors, delay line."""

import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Self

from testbed.censor.match import CompiledRule
from testbed.errors import InvalidRunError
from testbed.internet.authority import Authority
from testbed.middlebox.deadlinks import DeadLinks
from testbed.middlebox.linkproofs import LinkProofs
from testbed.model import OUTSIDE, OUTSIDE_HOST, Placement, Scenario
from testbed.model.addressing import addresses_of, served_addresses, twin
from testbed.run.folder import RunFolder
from testbed.run.groundwork import Groundwork
from testbed.run.places import Places, hop_of
from testbed.run.podplaces import names_at
from testbed.run.preload import FEW, compiled_once, preload
from testbed.run.rearranged import base_of
from testbed.run.resolvers import Resolvers, resolver_name, served_alone
from testbed.run.rulesets import RuleSets
from testbed.run.taps import KEYS
from testbed.scenario.loader import policy_again
from testbed.vantage.environment import Environment, prepare
from testbed.world import delay, interrupt, meter, pressure
from testbed.world.build import BuiltWorld, with_rates
from testbed.world.children import Body, Children, Ready
from testbed.world.hostroutes import addresses_and_routes
from testbed.world.latch import Latch
from testbed.world.netns import Namespace, enter, inside
from testbed.world.scenarioclock import ScenarioClock

if TYPE_CHECKING:
    from testbed.containers.pods import Pods
    from testbed.middlebox.reached import FlowsWith, Reached, ReachedServers

_STOP_WITHIN, _EVENTS_PER_SECOND = 5.0, 1e6  # seconds, bytes of events.jsonl; our choice
_EACH = 0.2  # seconds more for each process that has to start or stop beside the others; our choice
_CAPTURE = "capture"  # the service that records packets: it ends last
_MOMENT = 0.005  # s between two looks for a receipt
_CHANGING = "far.changing"  # the service of sites and resolvers that phases change
READY_WITHIN = 30.0  # seconds; our choice: generous, for machines under load


class Laboratory:
    """Builds the world of one phase for some operators. Use it inside `run_isolated`, with `with`."""

    def __init__(
        self,
        scenario: Scenario,
        phase: str,
        operators: tuple[str, ...],
        folder: RunFolder,
        authority: Authority | None = None,
        *,
        twins: bool = False,
        switches: bool = False,
        date: ScenarioClock | None = None,
        groundwork: Groundwork | None = None,
        captured: bool = False,
        metered: bool = False,
        pods: "Pods | None" = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """`twins`: with a second subscriber at each vantage, for the controls beside a command.

        `switches`: the phase will change. `date`: the scenario's clock, which events and measurements carry.
        `groundwork`: of the same choices, if it has begun. `captured`: packets are recorded, and TLS secrets
        of the far side. `metered`: rates are measured from the start. `pods`: what starts containers.
        `meanwhile` is called while the servers start, which takes longer.
        """
        self.pods, self._meanwhile = pods, meanwhile
        self._twins, self._switches, self.date = twins, switches, date
        self.scenario, self.operators, self.folder = scenario, operators, folder
        self._groundwork = groundwork or Groundwork(scenario, phase, operators, twins=twins)
        self._worlds = self._groundwork.worlds
        self._dead_links, self._link_proofs = DeadLinks(), LinkProofs()
        self._captured, self._metered = captured, metered
        self.phase, self.placements = phase, self._placements(phase)
        self.authority = authority or Authority.create()
        self.started_at, self._epoch = time.monotonic(), time.time()
        self._stack = ExitStack()
        self._services: Children | None = None
        self._built = Latch()
        self._world: BuiltWorld | None = None
        self._rule_sets = RuleSets()
        self._kept: tuple[Placement, ...] = ()  # of the phase before, at work since then
        self._places = Places(
            [one.placements for one in scenario.phases.values()] if switches else [self.placements]
        )
        self._places.take(self.placements)
        shown = scenario.phases if switches else [phase]
        self._resolvers = Resolvers(
            served_alone(scenario, shown), self._worlds, folder.path, self.started_at, date, captured
        )

    @property
    def world(self) -> BuiltWorld:
        """The namespaces, once built."""
        assert self._world is not None, "not entered"
        return self._world

    @property
    def services(self) -> Children:
        """The servers, censors and the delay line, once started."""
        assert self._services is not None, "not entered"
        return self._services

    def __enter__(self) -> Self:
        self._services = self._stack.enter_context(Children(self.folder.path / "logs"))
        clocks = {"monotonic": self.started_at, "epoch": self._epoch}
        self.folder.write("start.json", {**clocks, "phase": self.phase})
        try:
            self._start_far_side()
            self._world = self._groundwork.built()
            if self._captured:
                self._record()
            counting = self._count_reached() if self._twins else None
            self._built.open()
            self._start_delays()
            self._start_phase(resolvers=self.operators)
            self._meanwhile()
            self._services.wait_ready(READY_WITHIN + _EACH * len(self._services.names))
            self._start_hosts(self._services)
            self._services.spawn("timer", pressure.service(self.folder.path))
            if self._metered:
                self.measure_rates()
            if counting:
                counting.wait()
            self._watch_links()
            self._rule_sets.note(self._routers())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _record(self) -> None:
        """Begin to record packets, before anything can send one."""
        from testbed.run import taps
        from testbed.world.ring import recorder

        phases = self.scenario.phases.values() if self._switches else ()
        placements = [*self.placements, *(one for each in phases for one in each.placements)]
        points = taps.capture_points(self.world, self.operators, placements)
        folder = taps.capture_folder(self.folder.path)
        taps.write_points(folder, points, placements)
        self.services.spawn(_CAPTURE, recorder(points, folder))

    def measure_rates(self) -> None:
        """From now on what passes vantages and hops is noted in rates.jsonl, for who watches."""
        if meter.METER in self.services.names:
            return
        hops = (f"{one.key}.hop{i}" for one in self._worlds.plan.operators for i in range(1, one.hops + 1))
        places = [self.world.namespaces[name] for name in (*self.operators, OUTSIDE, *hops)]
        self.services.spawn(meter.METER, meter.metering(self.folder.path, self.started_at, places))

    def check(self) -> None:
        """InvalidRunError if a server, a censor or the delay line is dead."""
        self.services.check()

    def finish(self) -> list[str]:
        """Stop everything, so that receipts are written; what went wrong while stopping, or had before."""
        return self._rule_sets.changed() + self._links_proven() + self._stop(None)

    def end_phase(self, following: str | None = None) -> list[str]:
        """Stop the phase's censors and lying resolvers, so that receipts are written; what went wrong.

        Those that the phase `following` has at the same place go on, with all they remember; so do honest
        resolvers and the far side. Where the scenario's clock has leapt, what they remember has aged.
        """
        kept = () if following is None else self._placements(following)
        same_names = not self._worlds.names_change  # otherwise no resolver goes on with what it knows
        self._kept = tuple(
            place for place in self.placements if place in kept and (same_names or place.at == "hop")
        )
        leaving = [place for place in self.placements if place not in self._kept]
        problems = self._rule_sets.changed() + self._links_proven()
        problems += self._stop([_service_of(place) for place in leaving])
        self._remove_rules(leaving)
        self._places.leave(leaving)
        return problems + self._settle(self._kept)

    def begin_phase(self, phase: str) -> None:
        """Start the censors of another phase, and resolvers in place of those that `end_phase` stopped.

        Links are as the phase has them, and sites that it changes are started anew. Errors: InvalidRunError
        if something does not start.
        """
        before = {place.operator for place in self.placements if _new_liar(place, self._kept)}
        self.phase, self.placements = phase, self._placements(phase)
        now = {place.operator for place in self.placements if _new_liar(place, self._kept)}
        sites = self._worlds.world.sites
        self._worlds.change_to(base_of(phase))
        moved = self._worlds.world.sites != sites
        self._world = with_rates(self.world, self._worlds.plan)
        again = now | (set(self.operators) if self._worlds.names_change else set())
        stopped = {self._resolvers.service_of(operator) for operator in again - before}
        self._stop([*stopped, _CHANGING] if moved else stopped)
        self._places.take(self.placements)
        if moved:
            self._start_changing()
        self._start_phase(resolvers={*before, *again})
        self.services.wait_ready(READY_WITHIN + _EACH * len(self.services.names))
        self._watch_links()
        self._rule_sets.note(self._routers())

    def _links_proven(self) -> list[str]:
        """What links let pass, or did not do, that they should."""
        return self._dead_links.end(self.world) + self._link_proofs.end(self.world)

    def _watch_links(self) -> None:
        self._dead_links.begin(self.world)
        self._link_proofs.begin(self.world)

    def _settle(self, places: Sequence[Placement]) -> list[str]:
        """Let these write their receipts and go on; what went wrong."""
        waiting = {self.folder.path / "receipts" / f"{service_name(place)}.json": place for place in places}
        for place in waiting.values():
            os.kill(self.services[_service_of(place)].pid, signal.SIGUSR1)
        end = time.monotonic() + stop_within(self.folder, len(self.services.names))
        while waiting := {path: place for path, place in waiting.items() if not path.exists()}:
            try:
                self.check()
            except InvalidRunError as dead:
                return [str(dead)]
            if time.monotonic() > end:
                late = ", ".join(place.name for place in waiting.values())
                return [f"no receipt from {late}: the censor hangs, or this machine is too busy"]
            interrupt.wait((), _MOMENT, interruptible=False)
        return []

    def _count_reached(self) -> "ReachedServers":
        """Begin to count what subscribers exchange with other servers than sites and resolvers.

        Flows with the sites that methods of circumvention are tried with are noted.
        """
        from testbed.middlebox.reached import ReachedServers

        counting = ReachedServers()
        tried = {address for one in self.scenario.circumvention for address in self._site(one.target.host)}
        subscribers = [address for key in self.operators for address in self.world.plan.vantage_address(key)]
        with inside(self.world.namespaces["backbone"]):
            counting.begin(subscribers, self._served(), tried)
        return counting

    def _served(self) -> tuple[str, ...]:
        world = self.scenario.world
        return (*served_addresses(world, domestic=True), *served_addresses(world, domestic=False))

    def _site(self, host: str) -> tuple[str, ...]:
        site = self._worlds.world.site_of(host)
        return site.addresses if site else ()

    def reached(self, vantage: str) -> dict[str, int]:
        """With a command: "vpn.example.net 4433/tcp" -> bytes, of servers that are no sites."""
        served = self._served()
        names = dict.fromkeys(OUTSIDE_HOST, OUTSIDE)
        for host in self.scenario.world.hosts:
            names |= dict.fromkeys(addresses_of(host, self.scenario.world), (*host.names, host.key)[0])
        total: dict[str, int] = {}
        for one in self._counted(vantage):
            if one.address in served:
                continue
            place = f"{names.get(one.address, one.address)} {one.port}/{one.transport}"
            total[place] = total.get(place, 0) + one.octets
        return total

    def flows_with(self, vantage: str, host: str) -> "FlowsWith":
        """Up to now, of a vantage with the site of that name, which a method is tried with."""
        from testbed.middlebox.reached import FlowsWith, read_flows

        if not self._twins or vantage not in self.operators:
            return FlowsWith()
        own = {str(address) for address in self.world.plan.vantage_address(vantage)}
        with inside(self.world.namespaces["backbone"]):
            return read_flows(own, self._site(host))

    def _counted(self, vantage: str) -> "list[Reached]":
        if not self._twins or vantage not in self.operators:
            return []
        from testbed.middlebox.reached import read_reached

        own = {str(address) for address in self.world.plan.vantage_address(vantage)}
        with inside(self.world.namespaces["backbone"]):
            return [one for one in read_reached() if one.subscriber in own]

    def beside(self, vantage: str) -> Namespace:
        """Where a control of `vantage` is measured: at its twin, which no command can have changed."""
        namespaces = self.world.namespaces
        return namespaces[twin(vantage) if self._twins else vantage]

    def own_rules(self, vantage: str) -> list[str]:
        """Firewall rules that a subscriber's machine has: a censor's are never there."""
        from testbed.middlebox import netfilter

        with inside(self.world.namespaces[vantage]):
            return netfilter.described()

    def network_of(self, vantage: str) -> frozenset[str]:
        """Addresses and routes that a subscriber's machine has now."""
        with inside(self.world.namespaces[vantage]):
            return addresses_and_routes()

    def environment(self, vantage: str, name: str = "vantage") -> Environment:
        """What a subscriber's machine has of its own; its files are made in the run folder, in `name`."""
        hosts = [node.name for node in self.world.plan.nodes if node.host and node.name != vantage]
        elsewhere = {host: self.resolvers(host) for host in hosts}
        names = names_at(self.scenario.world.hosts, vantage)
        return prepare(self.folder.path, self.authority, self.resolvers(vantage), name, elsewhere, names)

    def resolvers(self, vantage: str, ipv: int = 4) -> tuple[str, ...]:
        """The resolver addresses that a subscriber's machine is given."""
        if vantage not in self.operators:
            public = self.scenario.world.resolvers[0]
            return public.ipv4[:1] + public.ipv6[:1] if ipv == 4 else public.ipv6[:1] + public.ipv4[:1]
        four, six = self.world.plan.resolver_address(vantage)
        return (str(four), str(six)) if ipv == 4 else (str(six), str(four))

    def _routers(self) -> list[Namespace]:
        return [self.world.namespaces[node.name] for node in self.world.plan.nodes if node.forwards]

    def _placements(self, phase: str) -> tuple[Placement, ...]:
        return tuple(p for p in self.scenario.phases[phase].placements if p.operator in self.operators)

    def _lying(self) -> dict[str, Placement]:
        return {place.operator: place for place in self.placements if place.at == "resolver"}

    def _start_far_side(self) -> None:
        """It loads its servers and makes its certificates while the world is built, and enters it then."""
        for name in ("testbed.internet.dns", "h11"):  # once: resolvers and the probe need them too
            import_module(name)
        changing = self._worlds.changing
        self.services.spawn("far", self._far_side(lambda name: name not in changing))
        self._start_changing()

    def _start_delays(self) -> None:
        plans = self._worlds.plans
        if delay.needed(*plans):
            seed, folder = self.scenario.seed, self.folder.path
            line = delay.service(self.world, seed, folder, plans, self._worlds.current)
            self.services.spawn("delay", line)

    def _start_changing(self) -> None:
        """Start the part of the far side that differs between phases, if there is one."""
        if changing := self._worlds.changing:
            self.services.spawn(_CHANGING, self._far_side(changing.__contains__))

    def _start_phase(self, resolvers: Collection[str]) -> None:
        """Start every censor of the phase that is not at work yet, and the resolvers of these operators."""
        namespaces = self.world.namespaces
        starting = [one for one in self.placements if one.at == "hop" and one not in self._kept]
        rules = compiled_once(starting)
        liars = self._lying()
        zone = preload(self._worlds.world, lying=bool(liars)) if len(resolvers) > FEW else None
        for placement in starting:
            body = self._censor(placement, rules.get(id(placement.policy)))
            self.services.spawn(service_name(placement), body, namespaces[hop_of(placement)])
        self._resolvers.start(self.services, self.world, resolvers, liars, zone)

    def _stop(self, names: Collection[str] | None) -> list[str]:
        try:
            self.services.check()
            problems = []
        except InvalidRunError as dead:
            problems = [str(dead)]
        ended = {}
        if names is None and self._captured:
            ended = self.services.stop(
                stop_within(self.folder, len(self.services.names)), only=self.services.names - {_CAPTURE}
            )
        ended |= self.services.stop(stop_within(self.folder, len(self.services.names)), only=names)
        reported = "\n".join(problems)
        return problems + [
            f"{status}" for name, status in ended.items() if not status.ok and name not in reported
        ]

    def _remove_rules(self, leaving: Sequence[Placement]) -> None:
        """Take the rules of these censors out of their hops."""
        from testbed.middlebox import kernel

        scale, at_hops = self.scenario.time_scale, [place for place in leaving if place.at == "hop"]
        for hop in dict.fromkeys(map(hop_of, at_hops)):
            going = [(place.policy, self._places[place]) for place in at_hops if hop_of(place) == hop]
            kept = [place for place in self._kept if place.at == "hop" and hop_of(place) == hop]
            with inside(self.world.namespaces[hop]):
                kernel.remove(going, [self._places[place].index for place in kept], scale)

    def _start_hosts(self, services: Children) -> None:
        if self.scenario.world.hosts:
            from testbed.run.servers import start_hosts

            logs = self.folder.path / "logs"
            start_hosts(services, self.world, self.authority, self._resolvers_at, logs, self.pods)

    def _resolvers_at(self, vantage: str) -> tuple[str, ...]:
        """The resolver addresses of a host at `vantage`, or abroad ("")."""
        return self.resolvers(vantage or OUTSIDE)

    # What follows runs in the service's own process, and imports there what only that process needs.

    def _far_side(self, wanted: Callable[[str], bool]) -> Body:
        def serve(ready: Ready) -> None:
            from testbed.internet.far_side import serve_far_side
            from testbed.internet.keylog import log_keys_to

            log_keys_to(self.folder.path / KEYS if self._captured else None)
            serve_far_side(self._worlds.world, self.authority, ready, self._enter_far_side, wanted)

        return serve

    def _enter_far_side(self) -> Namespace:
        self._built.wait()
        enter(Namespace.open("far"))
        return Namespace.open("domestic")

    def _censor(self, placement: Placement, rules: list[CompiledRule] | None) -> Body:
        def serve(ready: Ready) -> None:
            from testbed.middlebox.loop import serve_censor

            position = self._places[placement]
            scale, seed, path = self.scenario.time_scale, self.scenario.seed, self.scenario.path
            model = self.scenario.model
            reread = partial(policy_again, path, base_of(self.phase), placement.name, model) if path else None
            serve_censor(
                *(
                    placement,
                    seed,
                    self.folder.path,
                    self.started_at,
                    scale,
                    ready,
                    reread,
                    position,
                    self.date,
                ),
                captured=self._captured,
                rules=rules,
            )

        return serve


def stop_within(folder: RunFolder, services: int) -> float:
    """Seconds that a service may take to stop: what a censor has to read and write grows with its events.

    `services` stop at the same time, and share the processors.
    """
    return _STOP_WITHIN + _EACH * services + folder.events.stat().st_size / _EVENTS_PER_SECOND


def service_name(placement: Placement) -> str:
    """Of a censor's process and of its log: "mts.tspu"."""
    return placement.name.replace("/", ".")


def _service_of(placement: Placement) -> str:
    """The name of the process that a censor or a lying resolver is."""
    return service_name(placement) if placement.at == "hop" else resolver_name(placement.operator)


def _new_liar(placement: Placement, kept: Collection[Placement]) -> bool:
    return placement.at == "resolver" and placement not in kept
