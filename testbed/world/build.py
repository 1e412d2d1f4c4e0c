"""Building a planned world: namespaces, links, addresses, routes, neighbours, settings."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from testbed.world import interrupt, netlink
from testbed.world.children import Call
from testbed.world.netlink import LinkEnd, Request
from testbed.world.netns import Namespace, inside
from testbed.world.offloads import Offloads
from testbed.world.plan import ANY, ArrivalTable, Interface, Link, Node, Plan, Route
from testbed.world.settings import CHAIN, HOST, ROUTER, apply, keep_order
from testbed.world.transit import GATEWAY

_BURST = (
    0.005  # seconds of a limited link's rate that may pass at once (our choice: small, far above timer steps)
)
_QUEUE = 0.1  # seconds of a limited link's rate that may wait (our choice)
_PACKET = (
    1514  # octets of a full packet with its Ethernet header: neither of the two may be smaller than some
)
_SHARE = 50  # nodes that are worth another process, which costs what some nodes do; our choice


@dataclass(frozen=True, slots=True)
class BuiltWorld:
    """A built world. It vanishes with the process that entered it and needs no teardown."""

    plan: Plan
    namespaces: dict[str, Namespace]


def build(plan: Plan, networks: Mapping[str, int] = MappingProxyType({})) -> BuiltWorld:
    """Build `plan` in the private namespaces that the caller has entered (see `testbed.world.enter`).

    `networks`: hosts whose network namespaces exist already and are empty, with a descriptor of each.

    Errors: InvalidRunError if the kernel refuses a step or offloads stay on; UnsupportedError for a missing
    kernel feature; RunInterrupted.
    """
    hosts = [node.name for node in plan.nodes if node.host and node.name not in networks]
    made = Namespace.create_hosts(hosts)
    made += [Namespace.adopt(name, descriptor) for name, descriptor in networks.items()]
    there = {namespace.name: namespace for namespace in made}
    cpus = _cpus(plan)

    def prepare(node: Node) -> None:
        namespace = there.get(node.name) or Namespace.create(node.name)
        with inside(namespace):
            apply(CHAIN if node.further else ROUTER if node.forwards else HOST)
            keep_order(cpus[node.name])
        if node.name not in there:
            os.close(namespace.fd)  # it has a name; another process may have made it

    _each(plan.nodes, prepare)
    namespaces = {node.name: there.get(node.name) or Namespace.open(node.name) for node in plan.nodes}
    indices = _indices(plan)
    ends = {end: _end(end, namespaces, indices) for link in plan.links for end in (link.a, link.b)}
    netlink.send([netlink.veth(ends[link.a], ends[link.b], str(link)) for link in plan.links], "links")
    offloads, parts = Offloads(), _parts(plan)

    def furnish(node: Node) -> None:
        with inside(namespaces[node.name]):
            offloads.off(near.name for near, _, _ in parts[node.name].links)
            netlink.send(list(_requests(plan, node, parts[node.name], indices)), node.name)

    _each(plan.nodes, furnish)
    return BuiltWorld(plan, namespaces)


def _each(nodes: Sequence[Node], work: Callable[[Node], object]) -> None:
    """Do `work` for every node. If they are many, other processes take their shares, one for each CPU."""
    shares = max(1, min(len(os.sched_getaffinity(0)), len(nodes) // _SHARE))

    def take(first: int) -> None:
        for node in nodes[first::shares]:
            interrupt.check()
            work(node)

    others = [Call(partial(take, number), name="a builder") for number in range(1, shares)]
    take(0)
    for one in others:
        one.result()


def with_rates(world: BuiltWorld, plan: Plan) -> BuiltWorld:
    """The world with the rates of the links of `plan`, which differs in nothing but their qualities.

    Errors: as `build`.
    """
    indices = _indices(plan)
    changed: dict[str, list[Request]] = {}
    for before, after in zip(world.plan.links, plan.links, strict=True):
        if before.quality.rate == after.quality.rate:
            continue
        for end in (after.a, after.b):
            requests = changed.setdefault(end.node, [])
            if before.quality.rate:
                requests.append(netlink.no_token_bucket(indices[end], end.name))
            if after.quality.rate:
                requests.append(_shaper(end.name, indices[end], after.quality.rate))
    for node, requests in changed.items():
        with inside(world.namespaces[node]):
            netlink.send(requests, node)
    return BuiltWorld(plan, world.namespaces)


def _cpus(plan: Plan) -> dict[str, int]:
    """The CPU that receives at each node: the core's nodes share one, operators take turns on the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    numbers = {operator.key: number for number, operator in enumerate(plan.operators)}
    cpus = {}
    for node in plan.nodes:
        number = numbers.get(node.name.partition(".")[0])
        cpus[node.name] = first if number is None or not others else others[number % len(others)]
    return cpus


def _indices(plan: Plan) -> dict[Interface, int]:
    """The index of each interface in its namespace: chosen here, it need not be asked for."""
    highest: dict[str, int] = {}
    indices = {}
    for link in plan.links:
        for end in (link.a, link.b):
            indices[end] = highest[end.node] = highest.get(end.node, 1) + 1
    return indices


def _end(end: Interface, namespaces: dict[str, Namespace], indices: dict[Interface, int]) -> LinkEnd:
    return LinkEnd(namespaces[end.node].fd, indices[end], end.name, end.mac)


@dataclass(slots=True)
class _Parts:
    """What a plan has for one node."""

    links: list[tuple[Interface, Interface, Link]]  # its own end first
    lookups: list[ArrivalTable]
    routes: list[Route]


def _parts(plan: Plan) -> dict[str, _Parts]:
    parts = {node.name: _Parts([], [], []) for node in plan.nodes}
    for link in plan.links:
        for near, far in link.ends:
            parts[near.node].links.append((near, far, link))
    for lookup in plan.lookups:
        parts[lookup.node].lookups.append(lookup)
    for route in plan.routes:
        parts[route.node].routes.append(route)
    return parts


def _requests(plan: Plan, node: Node, parts: _Parts, indices: dict[Interface, int]) -> Iterator[Request]:
    """Everything that a node has: its addresses, its neighbours, its routes, its links' rates."""
    index = {near.name: indices[near] for near, _, _ in parts.links}
    yield netlink.up(netlink.LOOPBACK, "lo")
    yield from (netlink.address(address, netlink.LOOPBACK) for address in node.served)
    yield from (netlink.up(number, name) for name, number in index.items())
    yield from (netlink.address(address, index[node.interface]) for address in node.addresses)
    yield from (netlink.address(address, index[name]) for name, address in node.further)
    for near, far, _ in parts.links:  # without ARP and neighbour discovery no packet waits for them
        for address in GATEWAY if far.node == near.node else plan.node(far.node).addresses:
            yield netlink.neighbour(address, far.mac, indices[near])
    for lookup in parts.lookups:
        yield from netlink.lookup(lookup.arriving, lookup.table)
    # Programs that make their own packets, such as scapy, look their source address up in the default route.
    sources = {} if node.forwards else dict(zip(ANY, node.addresses, strict=True))
    for route in parts.routes:
        source, table = sources.get(route.to, ""), route.table or netlink.MAIN
        yield netlink.route(route.to, index.get(route.dev, 0), route.via, source, table)
    for near, _, link in parts.links:
        if link.quality.rate:
            yield _shaper(near.name, indices[near], link.quality.rate)


def _shaper(name: str, index: int, rate: float) -> Request:
    burst = max(round(rate / 8 * _BURST), 2 * _PACKET)
    limit = max(round(rate / 8 * _QUEUE), 10 * _PACKET)
    return netlink.token_bucket(index, name, rate, burst, limit)
