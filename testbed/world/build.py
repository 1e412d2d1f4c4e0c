"""Building a planned world: namespaces, links, addresses, routes, neighbours, settings."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from testbed.world import interrupt, netlink
from testbed.world.netlink import LinkEnd, Request
from testbed.world.netns import Namespace, inside
from testbed.world.offloads import Offloads
from testbed.world.plan import ANY, Interface, Node, Plan
from testbed.world.settings import CHAIN, HOST, ROUTER, apply, keep_order
from testbed.world.transit import GATEWAY

_BURST = (
    0.005  # seconds of a limited link's rate that may pass at once (our choice: small, far above timer steps)
)
_QUEUE = 0.1  # seconds of a limited link's rate that may wait (our choice)
_PACKET = (
    1514  # octets of a full packet with its Ethernet header: neither of the two may be smaller than some
)


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
    made += [Namespace.create(node.name) for node in plan.nodes if not node.host]
    namespaces = {namespace.name: namespace for namespace in made}
    cpus = _cpus(plan)
    for node in plan.nodes:
        interrupt.check()
        with inside(namespaces[node.name]):
            apply(CHAIN if node.further else ROUTER if node.forwards else HOST)
            keep_order(cpus[node.name])
    indices = _indices(plan)
    ends = {end: _end(end, namespaces, indices) for link in plan.links for end in (link.a, link.b)}
    netlink.send([netlink.veth(ends[link.a], ends[link.b], str(link)) for link in plan.links], "links")
    offloads = Offloads()
    for node in plan.nodes:
        interrupt.check()
        with inside(namespaces[node.name]):
            offloads.off(end.name for end in ends if end.node == node.name)
            netlink.send(list(_requests(plan, node, indices)), node.name)
    return BuiltWorld(plan, namespaces)


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


def _requests(plan: Plan, node: Node, indices: dict[Interface, int]) -> Iterator[Request]:
    """Everything that a node has: its addresses, its neighbours, its routes, its links' rates."""
    links = [(near, far, link) for link in plan.links for near, far in link.ends if near.node == node.name]
    index = {near.name: indices[near] for near, _, _ in links}
    yield netlink.up(netlink.LOOPBACK, "lo")
    yield from (netlink.address(address, netlink.LOOPBACK) for address in node.served)
    yield from (netlink.up(number, name) for name, number in index.items())
    yield from (netlink.address(address, index[node.interface]) for address in node.addresses)
    yield from (netlink.address(address, index[name]) for name, address in node.further)
    for near, far, _ in links:  # no ARP, no neighbour discovery: no packet waits, and no capture shows them
        for address in GATEWAY if far.node == near.node else plan.node(far.node).addresses:
            yield netlink.neighbour(address, far.mac, indices[near])
    for lookup in plan.lookups:
        if lookup.node == node.name:
            yield from netlink.lookup(lookup.arriving, lookup.table)
    # Programs that make their own packets, such as scapy, look their source address up in the default route.
    sources = {} if node.forwards else dict(zip(ANY, node.addresses, strict=True))
    for route in plan.routes:
        if route.node == node.name:
            source, table = sources.get(route.to, ""), route.table or netlink.MAIN
            yield netlink.route(route.to, index.get(route.dev, 0), route.via, source, table)
    yield from (
        _shaper(near.name, indices[near], link.quality.rate) for near, _, link in links if link.quality.rate
    )


def _shaper(name: str, index: int, rate: float) -> Request:
    burst = max(round(rate / 8 * _BURST), 2 * _PACKET)
    limit = max(round(rate / 8 * _QUEUE), 10 * _PACKET)
    return netlink.token_bucket(index, name, rate, burst, limit)
