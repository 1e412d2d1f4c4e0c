"""From a world to the exact nodes, links, addresses and routes to build. Pure: no kernel here.

Every node has one IPv4 and one IPv6 address of its own, on one interface, and links carry no network: routes
name their next hop and interface (as an unnumbered link's do), so an operator needs no transfer addresses and
traceroute shows each hop by one name. `far` carries the addresses of all sites and public resolvers on its
loopback interface (a dummy interface would need a kernel module that not every machine has).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise

from testbed.errors import InputError, Problem, nearest, path_text
from testbed.model import (
    BACKBONE,
    FAR,
    OUTSIDE,
    OUTSIDE_HOST,
    PERFECT,
    Addresses,
    Host,
    LinkQuality,
    Operator,
    World,
)
from testbed.model.addressing import OUTSIDE_RANGE, numbered
from testbed.model.faults import world_faults

ANY = ("0.0.0.0/0", "::/0")


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


@dataclass(frozen=True, slots=True)
class Route:
    """At `node`, `to` (a prefix) is reached through `dev`, by next hop `via` unless the neighbour has it."""

    node: str
    to: str
    dev: str = ""  # "": unreachable
    via: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that `build` makes, and where things are."""

    world: World
    operators: tuple[Operator, ...]
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    routes: tuple[Route, ...]

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def vantage_address(self, key: str) -> Addresses:
        """IPv4 and IPv6 address of a vantage (operator key or "outside")."""
        return self.node(key).addresses

    def resolver_address(self, key: str) -> Addresses:
        """IPv4 and IPv6 address of an operator's own resolver."""
        return self.node(f"{key}.resolver").addresses


class _Draft:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.links: list[Link] = []
        self.routes: list[Route] = []

    def link(self, a: tuple[str, str], b: tuple[str, str], quality: LinkQuality = PERFECT) -> None:
        number = len(self.links)
        macs = [f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{end:02x}" for end in (1, 2)]
        self.links.append(Link(Interface(*a, macs[0]), Interface(*b, macs[1]), quality))

    def route(self, node: str, to: Addresses, dev: str = "", via: Addresses = ("", "")) -> None:
        """Both IP versions at once; the next hop is left out where it is the destination itself."""
        for prefix, hop in zip(to, via, strict=True):
            shown = str(ip_network(prefix))
            self.routes.append(Route(node, shown, dev, hop if ip_network(prefix) != _host(hop) else ""))

    def housed(self, node: str, address: str, dev: str, via: Addresses) -> None:
        """One address that is reached by the next hop of its IP version."""
        version = int(ip_address(address).version == 6)
        self.routes.append(Route(node, str(_host(address)), dev, via[version]))


def plan(world: World, operators: Sequence[str] | None = None) -> Plan:
    """Lay out `world` with the operators of these keys (None: all; "outside" is always there).

    Errors: InputError with every fault of the world, and every operator that it does not have.
    """
    _check(world, operators or ())
    chosen = tuple(o for o in world.operators if operators is None or o.key in operators)
    draft = _Draft()
    served = tuple(
        str(ip_address(address))
        for owner in (
            *((s.ipv4, s.ipv6) for s in world.sites),
            *((*r.ipv4, *r.ipv6) for r in world.resolvers),
        )
        for address in owner
    )
    abroad = tuple(address for host in world.hosts if not host.at for address in (*host.ipv4, *host.ipv6))
    draft.nodes += [
        Node("backbone", BACKBONE, "far", forwards=True, host=False),
        Node("far", FAR, "eth0", served=served),
        Node(OUTSIDE, OUTSIDE_HOST, "eth0"),
    ]
    draft.link(("backbone", "far"), ("far", "eth0"))
    draft.link(("backbone", OUTSIDE), (OUTSIDE, "eth0"))
    draft.route("backbone", ANY, "far", FAR)
    draft.route("backbone", OUTSIDE_HOST, OUTSIDE, OUTSIDE_HOST)
    draft.route("backbone", OUTSIDE_RANGE, OUTSIDE, OUTSIDE_HOST)
    draft.route("far", ANY, "eth0", BACKBONE)
    draft.route(OUTSIDE, ANY, "eth0", BACKBONE)
    for host in world.hosts:
        if not host.at:
            _abroad(draft, host)
    for address in served:
        if _within(address, OUTSIDE_RANGE):
            draft.housed("backbone", address, "far", FAR)
    for operator in chosen:
        _operator(draft, operator, world, served, abroad)
    return Plan(world, chosen, tuple(draft.nodes), tuple(draft.links), tuple(draft.routes))


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
    draft: _Draft, operator: Operator, world: World, served: tuple[str, ...], abroad: tuple[str, ...]
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
    draft.link((last, "out"), ("backbone", key), world.backbone)
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
    draft.route(last, whole)  # packets to an unused address must not loop until their hop limit ends
    for address in (*served, *abroad):  # a server with an address of the operator's own range is not in it
        if _within(address, whole):
            draft.housed(last, address, "out", BACKBONE)
    for address in served:
        if _within(address, whole):
            draft.housed("backbone", address, "far", FAR)


def _abroad(draft: _Draft, host: Host) -> None:
    """A server of its own behind the backbone. Its further addresses are on its loopback interface."""
    main = host.ipv4[0], host.ipv6[0]
    further = (*host.ipv4[1:], *host.ipv6[1:])
    draft.nodes.append(Node(host.key, main, "eth0", served=further))
    draft.link(("backbone", host.key), (host.key, "eth0"))
    draft.route(host.key, ANY, "eth0", BACKBONE)
    draft.route("backbone", main, host.key, main)
    for address in further:
        draft.housed("backbone", address, host.key, main)


def _within(address: str, prefixes: Addresses) -> bool:
    found = ip_address(address)
    return any(found in ip_network(prefix) for prefix in prefixes)


def _host(address: str) -> IPv4Network | IPv6Network | None:
    return ip_network(address) if address else None
