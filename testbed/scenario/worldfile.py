"""World files: operators, sites, resolvers and links, and the checks that they can coexist."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from testbed.model import FIXED, LinkQuality, Operator, PublicResolver, Site, World
from testbed.scenario.addresses import Address4, Address6, Asn, Prefix4, Prefix6
from testbed.scenario.document import Document, read
from testbed.scenario.hostfield import HOST_KEY, RESERVED_KEYS, HostsField
from testbed.scenario.part import Part, parse
from testbed.scenario.problems import Loc, Problems
from testbed.scenario.values import Key, ParsedBitsPerSecond, ParsedSeconds, ParsedShare, Text, as_list


class LinkPart(Part):
    """Link quality, each way."""

    rate: ParsedBitsPerSecond | None = None
    delay: ParsedSeconds = 0.0
    jitter: ParsedSeconds = 0.0
    loss: ParsedShare = 0.0


class OperatorPart(Part):
    """An access network; its key is the name of its vantage."""

    name: Text
    asn: Asn
    country: str = "RU"
    kind: Literal["mobile", "fixed"]
    prefix4: Prefix4
    prefix6: Prefix6
    hops: Annotated[int, Field(ge=4, le=20)] = 5
    access: LinkPart = LinkPart()
    block_page: str = ""
    block_source: str = ""
    sinkhole4: Annotated[list[Address4], BeforeValidator(as_list)] = Field(default_factory=list)
    sinkhole6: Annotated[list[Address6], BeforeValidator(as_list)] = Field(default_factory=list)
    miss: dict[str, ParsedShare] = Field({}, description="share of triggers its boxes let through, by action")


class SitePart(Part):
    """A server with its names and its two addresses."""

    names: Annotated[list[Text], BeforeValidator(as_list), Field(min_length=1)]
    ipv4: Address4
    ipv6: Address6
    asn: Asn
    country: str = "US"
    certificate: Literal["trusted", "self-signed"] = "trusted"


class ResolverPart(Part):
    """An open resolver; its key is its name."""

    ipv4: Annotated[list[Address4], BeforeValidator(as_list), Field(min_length=1)]
    ipv6: Annotated[list[Address6], BeforeValidator(as_list), Field(min_length=1)]
    asn: Asn


class WorldFile(Part):
    """A whole world file."""

    operators: Annotated[dict[Key, OperatorPart], Field(min_length=1)]
    sites: Annotated[list[SitePart], Field(min_length=1)]
    resolvers: dict[Text, ResolverPart] = Field(default_factory=dict)
    backbone: LinkPart = LinkPart()
    hosts: HostsField = Field(default_factory=dict, description="machines with services")
    notes: str = ""


def load_world(path: Path) -> tuple[World, Document]:
    """Read and check a world file. InputError with every problem."""
    stat = path.stat()
    return _load_world(path.resolve(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _load_world(path: Path, _mtime: int, _size: int) -> tuple[World, Document]:
    document = read(path)
    problems = Problems()
    part = parse(WorldFile, document, problems)
    if part is not None:
        _check(part, document, problems)
    problems.raise_if_any()
    assert part is not None
    world = _build(path.stem, part)
    if part.hosts:
        from testbed.scenario.hostparts import hosts_of

        world = replace(world, hosts=hosts_of(part.hosts, document, world, problems))
        problems.raise_if_any()
    return world, document


def _build(name: str, part: WorldFile) -> World:
    operators = tuple(
        Operator(
            key=key,
            **given.model_dump(
                include={"name", "asn", "country", "kind", "hops", "block_page", "block_source"}
            ),
            prefix4=given.prefix4,
            prefix6=given.prefix6,
            access=LinkQuality(**given.access.model_dump()),
            sinkhole4=tuple(str(address) for address in given.sinkhole4),
            sinkhole6=tuple(str(address) for address in given.sinkhole6),
            miss=tuple(sorted(given.miss.items())),
        )
        for key, given in part.operators.items()
    )
    sites = tuple(
        Site(
            tuple(given.names), str(given.ipv4), str(given.ipv6), given.asn, given.country, given.certificate
        )
        for given in part.sites
    )
    resolvers = tuple(
        PublicResolver(key, tuple(map(str, given.ipv4)), tuple(map(str, given.ipv6)), given.asn)
        for key, given in part.resolvers.items()
    )
    return World(name, operators, sites, resolvers, LinkQuality(**part.backbone.model_dump()))


def _check(part: WorldFile, document: Document, problems: Problems) -> None:
    prefixes = list(_prefixes(part))
    _check_prefixes(prefixes, document, problems)
    _check_addresses(part, prefixes, document, problems)
    _check_names(part, document, problems)
    for key in part.operators:
        if key in RESERVED_KEYS:
            problems.add(document, ("operators", key), f"{key!r} is a reserved word", "choose another key")
        elif not HOST_KEY.fullmatch(key):
            remedy = "use at most 15 of a-z, 0-9 and -, a letter first"
            problems.add(document, ("operators", key), f"{key!r} cannot be an operator's key", remedy)


def _check_prefixes(
    prefixes: list[tuple[Loc, IPv4Network | IPv6Network]], document: Document, problems: Problems
) -> None:
    for index, (loc, prefix) in enumerate(prefixes):
        for other_loc, other in prefixes[:index]:
            if prefix.version == other.version and prefix.overlaps(other):
                message = f"{prefix} overlaps {other} of operator {other_loc[1]!r}"
                problems.add(document, loc, message, "give each operator a prefix of its own")
    for loc, prefix in prefixes:
        fixed = [(node, ip_address(text)) for node, pair in FIXED.items() for text in pair]
        held = [f"{address} of every world's {node}" for node, address in fixed if address in prefix]
        if held:
            problems.add(document, loc, f"{prefix} holds {' and '.join(held)}", "choose another prefix")


def _check_addresses(
    part: WorldFile,
    prefixes: list[tuple[Loc, IPv4Network | IPv6Network]],
    document: Document,
    problems: Problems,
) -> None:
    owners = {ip_address(text): f"every world's {node}" for node, pair in FIXED.items() for text in pair}
    for loc, address, owner in _addresses(part):
        if address in owners:
            message = f"the address {address} belongs to {owners[address]} already"
            problems.add(
                document, loc, message, "give each server its own address, or put both names on one site"
            )
        owners.setdefault(address, owner)
        for prefix_loc, prefix in prefixes:
            if address in prefix:
                message = f"the address {address} lies inside {prefix} of operator {prefix_loc[1]!r}"
                problems.add(document, loc, message, "servers are outside the operators' networks")


def _check_names(part: WorldFile, document: Document, problems: Problems) -> None:
    taken: dict[str, Loc] = {}
    for index, site in enumerate(part.sites):
        for position, name in enumerate(site.names):
            loc = ("sites", index, "names", position)
            if name in taken:
                problems.add(
                    document, loc, f"the name {name!r} belongs to another site already", "remove one"
                )
            if name != name.lower() or not all(name.split(".")) or " " in name:
                problems.add(
                    document,
                    loc,
                    f"{name!r} is not a host name",
                    "write it in lower case, without a dot at the end",
                )
            taken.setdefault(name, loc)
    for key, operator in part.operators.items():
        host = urlsplit(operator.block_page).hostname
        known = host in taken or any(host == str(site.ipv4) for site in part.sites)
        if operator.block_page and not known:
            message = f"no site answers to {host!r}, so that the redirect could not be followed"
            problems.add(document, ("operators", key, "block_page"), message, "add it under 'sites'")


def _prefixes(part: WorldFile) -> Iterator[tuple[Loc, IPv4Network | IPv6Network]]:
    for key, operator in part.operators.items():
        yield ("operators", key, "prefix4"), operator.prefix4
        yield ("operators", key, "prefix6"), operator.prefix6


def _addresses(part: WorldFile) -> Iterator[tuple[Loc, IPv4Address | IPv6Address, str]]:
    for index, site in enumerate(part.sites):
        yield ("sites", index, "ipv4"), site.ipv4, site.names[0]
        yield ("sites", index, "ipv6"), site.ipv6, site.names[0]
    for key, resolver in part.resolvers.items():
        for position, address in enumerate(resolver.ipv4):
            yield ("resolvers", key, "ipv4", position), address, key
        for position, address6 in enumerate(resolver.ipv6):
            yield ("resolvers", key, "ipv6", position), address6, key
