"""What keeps a world from being: every rule, for worlds from files and worlds made in Python. Pure.

A fault names its path as a world file has it (`("operators", "mts", "prefix4")`): the loader makes a line of
it, and the planner, which has no file, shows the path. Where two things collide, the fault is that of the
later one: operators come first, then sites, resolvers and hosts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations
from urllib.parse import urlsplit

from testbed.errors import nearest
from testbed.model import FEWEST_HOPS, FIXED, MOST_HOPS, MOST_TRANSIT, OUTSIDE, Host, Operator, World
from testbed.model.addressing import TWIN_OUTSIDE, numbered
from testbed.model.parsed import parsed_address

# The nodes of every world, its loopback interfaces, and the words of a scenario's phases.
RESERVED_KEYS = (
    *FIXED,
    "transit",
    "abroad",
    "lo",
    "in-twin",
    "outside-twin",
    "all",
    "title",
    "from",
    "until",
    "sources",
    "notes",
    "sites",
    "links",
)
KEY = re.compile(r"[a-z][a-z0-9-]{0,14}")  # becomes the name of an interface: at most 15 characters
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
LONGEST = {4: 25, 6: 119}  # an operator's prefix by IP version: room for hops, resolver and subscriber

Path = tuple[str | int, ...]
_Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class WorldFault:
    """One thing that is wrong with a world."""

    path: Path  # as in a world file: ("sites", 1, "names", 0)
    message: str  # with the value
    remedy: str


def world_faults(world: World) -> Iterator[WorldFault]:
    """Everything in `world` that cannot be, or that would deceive a detector; nothing if it is sound."""
    yield from _keys(world)
    for operator in world.operators:
        yield from _operator(operator, world)
    if not 1 <= world.transit <= MOST_TRANSIT:
        yield WorldFault(("transit",), f"{world.transit} transit routers", f"between 1 and {MOST_TRANSIT}")
    yield from _prefixes(world)
    yield from _addresses(world)
    yield from _names(world)
    for host in world.hosts:
        yield from _host(host, world)
        yield from _listeners(host)


def _keys(world: World) -> Iterator[WorldFault]:
    """Operators and hosts need different keys: namespaces, interfaces and logs are named by them.

    Only the services of a subscriber's own namespace may have the key of their vantage.
    """
    owners: dict[str, str] = {}
    for section, what, keys in (
        ("operators", "an operator", [operator.key for operator in world.operators]),
        ("hosts", "a host", [host.key for host in world.hosts if host.key != host.at]),
    ):
        for key in keys:
            if key in RESERVED_KEYS:
                yield WorldFault((section, key), f"{key!r} is a reserved word", "choose another key")
            elif not KEY.fullmatch(key):
                remedy = "use at most 15 of a-z, 0-9 and -, a letter first"
                yield WorldFault((section, key), f"{key!r} is not a valid key for {what}", remedy)
            elif key in owners:
                yield WorldFault(
                    (section, key), f"there is {owners[key]} {key!r} already", "choose another key"
                )
            owners.setdefault(key, what)


def _operator(operator: Operator, world: World) -> Iterator[WorldFault]:
    path: Path = ("operators", operator.key)
    if not FEWEST_HOPS <= operator.hops <= MOST_HOPS:
        remedy = f"between {FEWEST_HOPS} and {MOST_HOPS}"
        yield WorldFault((*path, "hops"), f"a path of {operator.hops} hops cannot be", remedy)
    for field, prefix in (("prefix4", operator.prefix4), ("prefix6", operator.prefix6)):
        longest = LONGEST[prefix.version]
        if prefix.prefixlen > longest:
            yield WorldFault((*path, field), f"{prefix} is too small", f"at most /{longest}")
        if _is_special(prefix):
            yield _reserved((*path, field), prefix)
    for field, sinkholes in (("sinkhole4", operator.sinkhole4), ("sinkhole6", operator.sinkhole6)):
        for index, text in enumerate(sinkholes):
            yield from _address_faults((*path, field, index), text, 4 if field == "sinkhole4" else 6)
    if operator.block_page:
        host = urlsplit(operator.block_page).hostname
        names, texts = {name for _, name, _ in _given_names(world)}, {text for _, text, _, _ in _given(world)}
        if host not in names | texts:
            message = f"no site answers to {host!r}: the redirect could not be followed"
            yield WorldFault((*path, "block_page"), message, "add it under 'sites'")


def _prefixes(world: World) -> Iterator[WorldFault]:
    given = [
        (("operators", operator.key, field), prefix)
        for operator in world.operators
        for field, prefix in (("prefix4", operator.prefix4), ("prefix6", operator.prefix6))
    ]
    for (other_path, other), (path, prefix) in combinations(given, 2):
        if _overlap(prefix, other):
            message = f"{prefix} overlaps {other} of operator {other_path[1]!r}"
            yield WorldFault(path, message, "give each operator a prefix of its own")
    fixed = [(node, parsed_address(text)) for node, pair in FIXED.items() for text in pair]
    for path, prefix in given:
        held = [f"{address} of every world's {node}" for node, address in fixed if address in prefix]
        if held:
            yield WorldFault(path, f"{prefix} holds {' and '.join(held)}", "choose another prefix")


def _overlap(one: _Network, other: _Network) -> bool:
    # of two networks that overlap, one holds the other's first address
    return one.version == other.version and (one[0] in other or other[0] in one)


def _addresses(world: World) -> Iterator[WorldFault]:
    """Of sites, resolvers and hosts: each an address, a public one, and nobody else's."""
    owners = {text: f"every world's {node}" for node, pair in FIXED.items() for text in pair}
    owners |= dict.fromkeys(TWIN_OUTSIDE, "the twin of the outside host")
    for operator in world.operators:
        if operator.prefix4.prefixlen <= LONGEST[4] and operator.prefix6.prefixlen <= LONGEST[6]:
            owners |= {text: node for node, pair in numbered(operator).items() for text in pair}
    for path, text, version, owner in _given(world):
        wrong = [*_address_faults(path, text, version)]
        yield from wrong
        if wrong:
            continue
        address = str(parsed_address(text))
        if address in owners:
            one = "give it another"
            remedy = f"{one}, or put both names on one site" if path[0] == "sites" else one
            yield WorldFault(path, f"the address {address} belongs to {owners[address]} already", remedy)
        owners.setdefault(address, owner)


def _given(world: World) -> Iterator[tuple[Path, str, int, str]]:
    """Path, text, IP version and owner of every address that a server has."""
    for index, site in enumerate(world.sites):
        yield ("sites", index, "ipv4"), site.ipv4, 4, site.name
        yield ("sites", index, "ipv6"), site.ipv6, 6, site.name
        for place, text in enumerate(site.edges):
            yield ("sites", index, "edges", place), text, 6 if ":" in text else 4, site.name
    for section, owners in (
        ("resolvers", [(each.name, each.name, each.ipv4, each.ipv6) for each in world.resolvers]),
        ("hosts", [(each.key, f"host {each.key!r}", each.ipv4, each.ipv6) for each in world.hosts]),
    ):
        for key, owner, ipv4, ipv6 in owners:
            for field, version, texts in (("ipv4", 4, ipv4), ("ipv6", 6, ipv6)):
                for index, text in enumerate(texts):
                    yield (section, key, field, index), text, version, owner


def _address_faults(path: Path, text: str, version: int) -> Iterator[WorldFault]:
    try:
        address = parsed_address(text)
    except ValueError:
        yield WorldFault(path, f"{text!r} is not an IP address", f"write an IPv{version} one")
        return
    if address.version != version:
        yield WorldFault(path, f"{text!r} is not an IPv{version} address", f"write an IPv{version} one")
    elif getattr(address, "scope_id", None):
        yield WorldFault(path, f"{text!r} has the zone of one machine", "write it without '%…'")
    elif _is_special(address):
        yield _reserved(path, address)


def _is_special(value: IPv4Address | IPv6Address | _Network) -> bool:
    """Whether no server on the Internet has it; `is_global` is so of groups' addresses (multicast), too."""
    return not value.is_global or value.is_multicast or value.is_reserved


def _reserved(path: Path, value: IPv4Address | IPv6Address | _Network) -> WorldFault:
    remedy = "detectors take reserved addresses for signs of censorship: use a public one"
    return WorldFault(path, f"'{value}' is in a reserved range", remedy)


def _names(world: World) -> Iterator[WorldFault]:
    owners: dict[str, str] = {}
    for path, name, owner in _given_names(world):
        if not HOST_NAME.fullmatch(name):
            yield WorldFault(
                path, f"{name!r} is not a host name", "write it in lower case, without a dot at the end"
            )
        if name in owners:
            yield WorldFault(
                path, f"the name {name!r} belongs to {owners[name]} already", "choose another, or remove one"
            )
        owners.setdefault(name, owner)


def _given_names(world: World) -> Iterator[tuple[Path, str, str]]:
    for index, site in enumerate(world.sites):
        for position, name in enumerate(site.names):
            yield ("sites", index, "names", position), name, site.name
    for resolver in world.resolvers:
        yield ("resolvers", resolver.name), resolver.name, resolver.name
        for index, name in enumerate(resolver.aliases):
            yield ("resolvers", resolver.name, "aliases", index), name, resolver.name
    for host in world.hosts:
        for position, name in enumerate(host.names):
            yield ("hosts", host.key, "names", position), name, f"host {host.key!r}"
        for position, zone in enumerate(host.zones):
            yield ("hosts", host.key, "zones", position), zone, f"host {host.key!r}"


def _host(host: Host, world: World) -> Iterator[WorldFault]:
    path: Path = ("hosts", host.key)
    ports = [service.ports() for service in host.services]
    if host.zones and all(ports) and not any(port == 53 for some in ports for _, port in some):
        message = f"resolvers ask {host.key!r} about its zones on port 53, where none of its services listens"
        yield WorldFault((*path, "zones"), message, "add the service dns, or leave the zones out")
    if not host.at:
        for field, value in (("ipv4", host.ipv4), ("ipv6", host.ipv6), ("asn", host.asn)):
            if not value:
                remedy = f"add it: '{field}: …', or 'at: OPERATOR' for a host at a subscriber"
                yield WorldFault(path, f"the key {field!r} is missing", remedy)
        return
    vantages = [*(operator.key for operator in world.operators), OUTSIDE]
    if host.at not in vantages:
        yield WorldFault((*path, "at"), f"unknown vantage {host.at!r}", nearest(host.at, vantages))
    for field, value in (("ipv4", host.ipv4), ("ipv6", host.ipv6), ("asn", host.asn)):
        if value:
            message = f"a host at {host.at!r} has the addresses of its subscriber"
            yield WorldFault((*path, field), message, f"remove {field!r}")


def _listeners(host: Host) -> Iterator[WorldFault]:
    """Two services on one port, and a readiness that another service would show."""
    owners: dict[tuple[str, int], str] = {}
    for index, service in enumerate(host.services):
        for transport, port in service.ports():
            if (transport, port) in owners:
                message = f"{owners[transport, port]!r} listens on {transport.upper()} port {port} already"
                yield WorldFault(
                    ("hosts", host.key, "services", index), message, "give one of them another port"
                )
            owners.setdefault((transport, port), service.key)
    for index, service in enumerate(host.services):
        for transport, port in service.shown_by():
            if (transport, port) in owners:
                where = f"{owners[transport, port]!r} listens on {transport.upper()} port {port}"
                message, remedy = (
                    f"its readiness cannot be seen: {where}",
                    "let the command listen on another port",
                )
                yield WorldFault(("hosts", host.key, "services", index), message, remedy)
