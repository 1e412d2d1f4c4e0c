"""From a world to the exact nodes, links, addresses and routes to build. Pure: no kernel here.

Every node has one IPv4 and one IPv6 address of its own, on one interface, and links carry no network: routes
name their next hop and interface (as an unnumbered link's do), so an operator needs no transfer addresses and
traceroute shows each hop by one name. `far` carries the addresses of all sites and public resolvers abroad on
its loopback interface (a dummy interface would need a kernel module that not every machine has), `domestic`
those at home, which are nearer: what is abroad is behind the routers of `transit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from itertools import pairwise

from testbed.errors import InputError, Problem, nearest, path_text
from testbed.model import (
    BACKBONE,
    DOMESTIC,
    FAR,
    OUTSIDE,
    OUTSIDE_HOST,
    PERFECT,
    TRANSIT,
    Addresses,
    Host,
    LinkQuality,
    Operator,
    World,
)
from testbed.model.addressing import OUTSIDE_RANGE, is_domestic, numbered, served_addresses
from testbed.model.faults import world_faults
from testbed.model.parsed import parsed_address, parsed_network
from testbed.world import transit
from testbed.world.transit import ANY
from testbed.world.twins import OUTSIDE_TWIN, lay_twins

__all__ = ["ANY", "ArrivalTable", "Interface", "Link", "Node", "Plan", "Route", "plan"]


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link."""

    node: str
    name: str
    mac: str

    def __str__(self) -> str:
        return f"{self.node}:{self.name}"


@dataclass(frozen=True, slots=True)
class Link:
    """A cable between two nodes; its quality holds in each direction."""

    a: Interface
    b: Interface
    quality: LinkQuality = PERFECT

    def __str__(self) -> str:
        return f"{self.a} - {self.b}"

    @property
    def ends(self) -> tuple[tuple[Interface, Interface], tuple[Interface, Interface]]:
        """Both directions, each as (sending end, receiving end)."""
        return (self.a, self.b), (self.b, self.a)


@dataclass(frozen=True, slots=True)
class Node:
    """A host or router: one namespace."""

    name: str
    addresses: Addresses
    interface: str  # which has them
    forwards: bool = False
    served: tuple[str, ...] = ()  # further addresses, on the loopback interface
    host: bool = True  # commands may run there; otherwise it is the operator's own, or the core's
    further: tuple[tuple[str, str], ...] = ()  # (interface, address): of a chain of routers in one namespace


@dataclass(frozen=True, slots=True)
class Route:
    """At `node`, `to` (a prefix) is reached through `dev`, by next hop `via` unless the neighbour has it."""

    node: str
    to: str
    dev: str = ""  # "": unreachable
    via: str = ""
    table: int = 0  # 0: the main one


@dataclass(frozen=True, slots=True)
class ArrivalTable:
    """At `node`, what arrives by the interface `arriving` is routed by `table` instead of the main one."""

    node: str
    arriving: str
    table: int


@dataclass(frozen=True)
class Plan:
    """All that `build` makes, and where things are."""

    world: World
    operators: tuple[Operator, ...]
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    lookups: tuple[ArrivalTable, ...] = ()

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def vantage_address(self, key: str) -> Addresses:
        """IPv4 and IPv6 address of a vantage (operator key or "outside")."""
        return self.node(key).addresses

    def resolver_address(self, key: str) -> Addresses:
        """IPv4 and IPv6 address of an operator's own resolver."""
        return self.node(f"{key}.resolver").addresses


class Draft:
    """A plan in the making."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.nodes: list[Node] = []
        self.links: list[Link] = []
        self.routes: list[Route] = []
        self.lookups: list[ArrivalTable] = []

    def link(self, a: tuple[str, str], b: tuple[str, str], quality: LinkQuality = PERFECT) -> None:
        """A link between two ends, each as (node, interface)."""
        number = len(self.links)
        macs = [f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{end:02x}" for end in (1, 2)]
        self.links.append(Link(Interface(*a, macs[0]), Interface(*b, macs[1]), quality))

    def route(
        self, node: str, to: Addresses, dev: str = "", via: Addresses = ("", ""), table: int = 0
    ) -> None:
        """Both IP versions at once; the next hop is left out where it is the destination itself."""
        for prefix, hop in zip(to, via, strict=True):
            shown = str(parsed_network(prefix))
            next_hop = hop if parsed_network(prefix) != _host(hop) else ""
            self.routes.append(Route(node, shown, dev, next_hop, table))

    def housed(self, node: str, address: str, dev: str, via: Addresses) -> None:
        """One address that is reached by the next hop of its IP version."""
        version = int(parsed_address(address).version == 6)
        self.routes.append(Route(node, str(_host(address)), dev, via[version]))

    def lookup(self, node: str, arriving: str, table: int) -> None:
        """A table for what arrives by an interface."""
        self.lookups.append(ArrivalTable(node, arriving, table))

    def home(self, to: Addresses) -> None:
        """What the transit routers send back to the backbone."""
        self.route(transit.NODE, to, *transit.homewards(self.world.transit))

    def home_address(self, address: str) -> None:
        """The same for one address."""
        self.housed(transit.NODE, address, *transit.homewards(self.world.transit))


def plan(world: World, operators: Sequence[str] | None = None, *, twins: bool = False) -> Plan:
    """Lay out `world` with the operators of these keys (None: all; "outside" is always there).

    With `twins`, each vantage has a second subscriber beside it (see `testbed.model.addressing.twin`).

    Errors: InputError with every fault of the world, and every operator that it does not have.
    """
    _check(world, operators or ())
    chosen = tuple(o for o in world.operators if operators is None or o.key in operators)
    draft = Draft(world)
    at_home, abroad = (served_addresses(world, domestic=domestic) for domestic in (True, False))
    hosts = [host for host in world.hosts if not host.at]
    beyond = [host.key for host in hosts if not is_domestic(host.country, world)]
    _core(draft, at_home, abroad, [OUTSIDE, *beyond, *([OUTSIDE_TWIN] if twins else [])])
    for host in hosts:
        _own_server(draft, host)
    apart = tuple(address for host in hosts for address in (*host.ipv4, *host.ipv6))
    for operator in chosen:
        _operator(draft, operator, at_home, abroad, apart)
    if twins:
        lay_twins(draft, chosen)
    return Plan(
        world, chosen, tuple(draft.nodes), tuple(draft.links), tuple(draft.routes), tuple(draft.lookups)
    )


def _core(draft: Draft, at_home: tuple[str, ...], abroad: tuple[str, ...], beyond: Sequence[str]) -> None:
    """Backbone, transit routers, and the three nodes of every world that serve or measure.

    `beyond` are the nodes besides `far` that the last transit router has a link to.
    """
    count, last = draft.world.transit, TRANSIT[draft.world.transit - 1]
    inside = (*transit.addresses_inside(count), *((node, address) for node in beyond for address in last))
    draft.nodes += [
        Node("backbone", BACKBONE, "abroad", forwards=True, host=False),
        Node(transit.NODE, last, "far", forwards=True, host=False, further=inside),
        Node("far", FAR, "eth0", served=abroad),
        Node("domestic", DOMESTIC, "eth0", served=at_home),
        Node(OUTSIDE, OUTSIDE_HOST, "eth0"),
    ]
    draft.link(("backbone", "abroad"), (transit.NODE, transit.inward(1)))
    transit.lay_chain(draft, count)
    draft.link((transit.NODE, "far"), ("far", "eth0"))
    draft.link((transit.NODE, OUTSIDE), (OUTSIDE, "eth0"))
    draft.link(("backbone", "domestic"), ("domestic", "eth0"))
    draft.route("backbone", ANY, "abroad", last)
    draft.route(transit.NODE, ANY, "far", FAR)
    draft.route("domestic", ANY, "eth0", BACKBONE)
    for node in ("far", OUTSIDE):
        draft.route(node, ANY, "eth0", last)
    for pair in (OUTSIDE_HOST, OUTSIDE_RANGE):
        draft.route(transit.NODE, pair, OUTSIDE, OUTSIDE_HOST)
    for address in abroad:
        if _within(address, OUTSIDE_RANGE):
            draft.housed(transit.NODE, address, "far", FAR)
    draft.home(BACKBONE)
    for address in (*DOMESTIC, *at_home):
        draft.housed("backbone", address, "domestic", DOMESTIC)
        draft.home_address(address)


def _check(world: World, chosen: Sequence[str]) -> None:
    problems = [
        Problem(f"world {world.name} {path_text(fault.path)}", fault.message, fault.remedy)
        for fault in world_faults(world)
    ]
    keys = [*(operator.key for operator in world.operators), OUTSIDE]
    problems += [
        Problem(f"world {world.name}", f"no operator {key!r}", nearest(key, keys))
        for key in chosen
        if key not in keys
    ]
    if problems:
        raise InputError(*problems)


def _operator(
    draft: Draft,
    operator: Operator,
    at_home: tuple[str, ...],
    abroad: tuple[str, ...],
    apart: tuple[str, ...],
) -> None:
    key, own = operator.key, numbered(operator)
    hops = [f"{key}.hop{i}" for i in range(1, operator.hops + 1)]
    resolver, last = f"{key}.resolver", hops[-1]
    draft.nodes += [
        Node(key, own[key], "eth0"),
        *(Node(hop, own[hop], "in", forwards=True, host=False) for hop in hops),
        Node(resolver, own[resolver], "eth0", host=False),
    ]
    draft.link((key, "eth0"), (hops[0], "in"), operator.access)
    for near, far in pairwise(hops):
        draft.link((near, "out"), (far, "in"))
    draft.link((last, "out"), ("backbone", key), operator.uplink or draft.world.backbone)
    draft.link((last, "dns"), (resolver, "eth0"))

    draft.route(key, ANY, "eth0", own[hops[0]])
    draft.route(resolver, ANY, "eth0", own[last])
    draft.route(last, own[resolver], "dns", own[resolver])
    chain = [key, *hops]
    for place, hop in enumerate(hops):
        onward = own[hops[place + 1]] if hop != last else BACKBONE
        draft.route(hop, ANY, "out", onward)
        for below in chain[: place + 1]:
            draft.route(hop, own[below], "in", own[chain[place]])

    whole = (str(operator.prefix4), str(operator.prefix6))
    draft.route("backbone", whole, key, own[last])
    draft.home(whole)
    draft.route(last, whole)  # packets to an unused address must not loop until their hop limit ends
    for address in (*at_home, *abroad, *apart):
        if not _within(address, whole):
            continue
        # A server with an address of the operator's is not there.
        draft.housed(last, address, "out", BACKBONE)
        if address in abroad:
            draft.housed("backbone", address, "abroad", TRANSIT[draft.world.transit - 1])
            draft.housed(transit.NODE, address, "far", FAR)


def _own_server(draft: Draft, host: Host) -> None:
    """A server with a namespace of its own. Its further addresses are on its loopback interface."""
    main = host.ipv4[0], host.ipv6[0]
    further = (*host.ipv4[1:], *host.ipv6[1:])
    last = TRANSIT[draft.world.transit - 1]
    near, gateway = ("backbone", BACKBONE) if is_domestic(host.country, draft.world) else (transit.NODE, last)
    draft.nodes.append(Node(host.key, main, "eth0", served=further))
    draft.link((near, host.key), (host.key, "eth0"))
    draft.route(host.key, ANY, "eth0", gateway)
    draft.route(near, main, host.key, main)
    for address in further:
        draft.housed(near, address, host.key, main)
    for address in (*main, *further):
        if near == "backbone":
            draft.home_address(address)
        else:  # it may lie in the range of an operator
            draft.housed("backbone", address, "abroad", last)


def _within(address: str, prefixes: Addresses) -> bool:
    found = parsed_address(address)
    return any(found in parsed_network(prefix) for prefix in prefixes)


def _host(address: str) -> IPv4Network | IPv6Network | None:
    return parsed_network(address) if address else None
