"""World files: operators, sites, resolvers and links."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from testbed.model import (
    FEWEST_HOPS,
    MOST_HOPS,
    MOST_TRANSIT,
    LinkQuality,
    Operator,
    PublicResolver,
    Site,
    World,
)
from testbed.model.faults import world_faults
from testbed.scenario.addresses import Address4, Address6, Asn, Prefix4, Prefix6
from testbed.scenario.document import Document, read
from testbed.scenario.hostfield import HostsField
from testbed.scenario.linkparts import LinkPart
from testbed.scenario.part import Part, parse
from testbed.scenario.problems import Problems
from testbed.scenario.serverpart import SiteChangePart, server_fields
from testbed.scenario.values import Key, ParsedShare, Text, as_list


class OperatorPart(Part):
    """An access network; its key is the name of its vantage."""

    name: Text
    asn: Asn
    country: str = "RU"
    kind: Literal["mobile", "fixed"]
    prefix4: Prefix4
    prefix6: Prefix6
    hops: Annotated[int, Field(ge=FEWEST_HOPS, le=MOST_HOPS)] = 5
    access: LinkPart = LinkPart()
    block_page: str = ""
    block_marks: Annotated[list[Text], BeforeValidator(as_list)] = Field(
        [], description="pieces of HTML by which lists of fingerprints know its block page"
    )
    block_source: str = ""
    sinkhole4: Annotated[list[Address4], BeforeValidator(as_list)] = Field(default_factory=list)
    sinkhole6: Annotated[list[Address6], BeforeValidator(as_list)] = Field(default_factory=list)
    miss: dict[str, ParsedShare] = Field(
        {},
        description="share of triggers its boxes let through, by action or by action and trigger (drop quic)",
    )


class SitePart(SiteChangePart):
    """A server with its names and its two addresses."""

    names: Annotated[list[Text], BeforeValidator(as_list), Field(min_length=1)]
    ipv4: Address4
    ipv6: Address6
    asn: Asn
    country: str = "US"
    stun: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="UDP port of a STUN server, which is then all that it serves"
    )


class ResolverPart(Part):
    """An open resolver; its key is its name."""

    ipv4: Annotated[list[Address4], BeforeValidator(as_list), Field(min_length=1)]
    ipv6: Annotated[list[Address6], BeforeValidator(as_list), Field(min_length=1)]
    asn: Asn
    country: str = "US"
    aliases: Annotated[list[Text], BeforeValidator(as_list)] = Field([], description="further names")


class WorldFile(Part):
    """A whole world file."""

    operators: Annotated[dict[Key, OperatorPart], Field(min_length=1)]
    sites: Annotated[list[SitePart], Field(min_length=1)]
    resolvers: dict[Text, ResolverPart] = Field(default_factory=dict)
    backbone: LinkPart = LinkPart()
    transit: Annotated[int, Field(ge=1, le=MOST_TRANSIT)] = Field(
        7, description="routers between the backbone and servers abroad"
    )
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
    problems.raise_if_any()
    assert part is not None
    world = _build(path.stem, part)
    if part.hosts:
        from testbed.scenario.hostparts import hosts_of

        world = replace(world, hosts=hosts_of(part.hosts, document, problems))
    note_faults(world, document, problems)
    problems.raise_if_any()
    return world, document


def note_faults(world: World, document: Document, problems: Problems) -> None:
    """Note everything that keeps `world` from being, as problems of the file that gives its last part."""
    for fault in world_faults(world):
        problems.add(document, fault.path, fault.message, fault.remedy)


def _build(name: str, part: WorldFile) -> World:
    operators = tuple(
        Operator(
            key=key,
            **given.model_dump(
                include={"name", "asn", "country", "kind", "hops", "block_page", "block_source"}
            ),
            block_marks=tuple(given.block_marks),
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
            tuple(given.names),
            str(given.ipv4),
            str(given.ipv6),
            given.asn,
            given.country,
            stun=given.stun,
            **server_fields(given),
        )
        for given in part.sites
    )
    resolvers = tuple(
        PublicResolver(
            key,
            tuple(map(str, given.ipv4)),
            tuple(map(str, given.ipv6)),
            given.asn,
            given.country,
            tuple(given.aliases),
        )
        for key, given in part.resolvers.items()
    )
    backbone = LinkQuality(**part.backbone.model_dump())
    return World(name, operators, sites, resolvers, backbone, transit=part.transit)
