"""Targets: URLs whose names and servers must exist in the world."""

from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, urlsplit

from testbed.scenario.model import Target, World
from testbed.scenario.problems import Loc, nearest
from testbed.scenario.sources import Sources

FORMS = "https://NAME/, http://NAME/, h3://NAME/, put+https://NAME/upload?bytes=N, dns://RESOLVER/NAME"
OWN_RESOLVER = "resolver"  # dns://resolver/NAME asks the operator's own

_WEB = ("https", "http", "h3", "put+https", "put+http")
_DNS = ("dns", "dns+tcp")


def target(url: str, loc: Loc, sources: Sources) -> Target:
    """The target, any problem with it noted."""
    wrong = _fault(url, sources.world)
    if wrong:
        sources.add(loc, *wrong)
    return Target(url)


def _fault(url: str, world: World) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return f"{url!r} is not a URL: {error}", f"write one of {FORMS}"
    if parts.scheme not in (*_WEB, *_DNS) or not host:
        return f"{url!r} is not a target", f"write one of {FORMS}"
    if port is not None or parts.username is not None:
        return (
            f"{url!r}: a target has no port and no user",
            "servers listen on standard ports: leave it out",
        )
    if parts.scheme in _DNS:
        return _dns_fault(parts, host, world)
    if parts.scheme.startswith("put+") and not _size(parts.query):
        return f"{url!r} does not say how much to upload", "end it with ?bytes=N, N from 1 to 100000000"
    return _host_fault(host, world)


def _size(query: str) -> int:
    text = parse_qs(query).get("bytes", [""])[0]
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) <= 100_000_000 else 0


def _host_fault(host: str, world: World) -> tuple[str, str] | None:
    known = _names(world)
    if host in known or _is_address(host, {text for site in world.sites for text in (site.ipv4, site.ipv6)}):
        return None
    remedy = (
        f"{nearest(host, known)} Otherwise add it to the world's sites"
        if known
        else "add it to the world's sites"
    )
    return f"no site of the world {world.name!r} answers to {host!r}", remedy


def _dns_fault(parts: SplitResult, host: str, world: World) -> tuple[str, str] | None:
    addresses = {text for r in world.resolvers for text in (*r.ipv4, *r.ipv6)}
    if host != OWN_RESOLVER and not _is_address(host, addresses):
        remedy = nearest(host, addresses)
        return (
            f"the world has no resolver at {host!r}",
            f"{remedy} dns://{OWN_RESOLVER}/… asks the operator's own",
        )
    name = parts.path.strip("/")
    if not name:
        return "the target asks for no name", f"write dns://{host}/NAME"
    return _host_fault(name, world)


def _names(world: World) -> set[str]:
    return {name for site in world.sites for name in site.names} | {r.name for r in world.resolvers}


def _is_address(host: str, addresses: set[str]) -> bool:
    try:
        return str(ip_address(host)) in addresses
    except ValueError:
        return False
