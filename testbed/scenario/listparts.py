"""Lists of names, of URLs and of networks: in the scenario, or named by the file that they are in."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from testbed.censor.match.address import Network
from testbed.censor.match.ports import Ports
from testbed.censor.names import NameList
from testbed.censor.urls import UrlList
from testbed.errors import InputError, Problem, nearest
from testbed.model import World
from testbed.scenario.lookups import display
from testbed.scenario.namelists import (
    WORDS,
    ListFile,
    network_fault,
    pattern_fault,
    read_names,
    read_networks,
    read_urls,
    url_fault,
    url_patterns,
)
from testbed.scenario.part import Part
from testbed.scenario.portparts import PortList
from testbed.scenario.problems import Loc, fault, shown
from testbed.scenario.sources import Sources


def _check_pattern(value: object) -> object:
    if isinstance(value, str) and (wrong := pattern_fault(value)):
        raise fault(*wrong)
    return value


def _check_network(value: object) -> object:
    if isinstance(value, str) and not value.startswith(WORDS) and (wrong := network_fault(value)):
        raise fault(*wrong)
    return value


def _check_url(value: object) -> object:
    if isinstance(value, str) and (wrong := url_fault(value)):
        raise fault(*wrong)
    return value


def _listed(value: object) -> object:
    """A list, or a single entry, as the `entries` of a part; {file: …} as it is."""
    if isinstance(value, str):
        return {"entries": [value]}
    if isinstance(value, list):
        return {"entries": value}
    if isinstance(value, dict) and len(value) == 1:
        return value
    raise fault(f"expected a list, found {shown(value)}", "write [a, b] or {file: names.txt}")


_ENTRIES = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {
            "type": "object",
            "properties": {"file": {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}

Pattern = Annotated[str, BeforeValidator(_check_pattern)]
NetworkText = Annotated[str, BeforeValidator(_check_network)]
UrlText = Annotated[str, BeforeValidator(_check_url)]


class NamesPart(Part):
    """Patterns, or the file they are in."""

    entries: Annotated[list[Pattern], Field(min_length=1)] | None = None
    file: str | None = None


class UrlsPart(Part):
    """URLs of plain HTTP, or the file they are in."""

    entries: Annotated[list[UrlText], Field(min_length=1)] | None = None
    file: str | None = None


class NetworksPart(Part):
    """Addresses, prefixes, `site:name` and `country:XX`, or the file they are in."""

    entries: Annotated[list[NetworkText], Field(min_length=1)] | None = None
    file: str | None = None


NameEntries = Annotated[NamesPart, BeforeValidator(_listed), WithJsonSchema(_ENTRIES)]
UrlEntries = Annotated[UrlsPart, BeforeValidator(_listed), WithJsonSchema(_ENTRIES)]
NetworkEntries = Annotated[NetworksPart, BeforeValidator(_listed), WithJsonSchema(_ENTRIES)]

PARTS = {
    NameList: NameEntries,
    UrlList: UrlEntries,
    tuple[Network, ...]: NetworkEntries,
    Ports: PortList,
}
"""How the lists of `testbed.censor` are written, by their types there."""


def with_lists_read(value: object, loc: Loc, sources: Sources) -> object:
    """The value that a policy holds for a parsed one; InputError if a list cannot be read."""
    if isinstance(value, NamesPart):
        return _names(value, loc, sources)
    if isinstance(value, UrlsPart):
        return _urls(value, loc, sources)
    return _networks(value, loc, sources) if isinstance(value, NetworksPart) else value


def _names(part: NamesPart, loc: Loc, sources: Sources) -> NameList:
    if part.file is None:
        return NameList(tuple(part.entries or ()))
    return _from_file(read_names, part.file, loc, sources)


def _urls(part: UrlsPart, loc: Loc, sources: Sources) -> UrlList:
    if part.file is None:
        return UrlList(tuple(pattern for entry in part.entries or () for pattern in url_patterns(entry)))
    return _from_file(read_urls, part.file, loc, sources)


T = TypeVar("T")


def _from_file(read: Callable[[Path, str], tuple[T, ListFile]], name: str, loc: Loc, sources: Sources) -> T:
    """The list in a file. Errors quote nothing of a file outside the scenario's folder.

    Whoever checks a stranger's scenario MUST NOT be made to print the beginning of a file of their own.
    """
    folder = sources.document.folder
    path = folder / name
    try:
        found, file = read(path, sources.document.place((*loc, "file")))
    except InputError as error:
        if path.resolve().is_relative_to(folder.resolve()):
            raise
        message = "no entry of such a list; not shown: the file is outside the scenario's folder"
        raise InputError(
            *(Problem(p.place, message) if _is_line_of(path, p) else p for p in error.problems)
        ) from None
    sources.used(path, file.digest)
    if file.remark:
        sources.remarks.append(f"{display(path)}: {file.remark}")
    return found


def _is_line_of(path: Path, problem: Problem) -> bool:
    return problem.place.startswith(f"{display(path)}:")


def _networks(part: NetworksPart, loc: Loc, sources: Sources) -> tuple[Network, ...]:
    if part.file is not None:
        return _from_file(read_networks, part.file, loc, sources)
    found: list[Network] = []
    problems: list[Problem] = []
    for index, entry in enumerate(part.entries or ()):
        if not entry.startswith(WORDS):
            found.append(ip_network(entry))
            continue
        addresses, known = _addresses(entry, sources.world)
        found += map(ip_network, addresses)
        if not addresses:
            kind, _, name = entry.partition(":")
            message = f"no site of the world is {'called' if kind == 'site' else 'in'} {name!r}"
            problems.append(Problem(sources.document.place((*loc, index)), message, nearest(entry, known)))
    if problems:
        raise InputError(*problems)
    return tuple(found)


def _addresses(entry: str, world: World) -> tuple[list[str], list[str]]:
    """The world's addresses behind `site:NAME` or `country:XX`, and what might have been written."""
    kind, _, wanted = entry.partition(":")
    servers: list[tuple[tuple[str, ...], str, tuple[str, ...]]]
    servers = [(site.names, site.country, site.addresses) for site in world.sites]
    servers += [(each.names, each.country, (*each.ipv4, *each.ipv6)) for each in world.resolvers]
    abroad = [host for host in world.hosts if not host.at]
    servers += [(host.names, host.country, (*host.ipv4, *host.ipv6)) for host in abroad]
    found: list[str] = []
    known: dict[str, None] = {}
    for names, country, addresses in servers:
        words = names if kind == "site" else (country,)
        known |= dict.fromkeys(f"{kind}:{word}" for word in words)
        if wanted in words:
            found += addresses
    return found, list(known)
