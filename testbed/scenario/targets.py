"""Targets: URLs whose names and servers must exist in the world."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from testbed.scenario.model import Target, World
from testbed.scenario.problems import Loc, nearest
from testbed.scenario.sources import Sources

SCHEMES = ("https", "http", "h3", "dns")


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
        return f"{url!r} is not a URL: {error}", "write https://NAME/"
    if parts.scheme not in SCHEMES or not host:
        remedy = f"write one of {', '.join(f'{scheme}://…' for scheme in SCHEMES)}"
        return (
            f"{url!r} is not a target",
            remedy if parts.scheme not in SCHEMES else f"write {parts.scheme}://NAME/",
        )
    if port is not None or parts.username is not None:
        return (
            f"{url!r}: a target has no port and no user",
            "servers listen on their standard ports: leave it out",
        )
    if parts.scheme == "dns":
        return _dns_fault(parts, host, world)
    return _host_fault(host, world)


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
    resolvers = [r.name for r in world.resolvers]
    addresses = {text for r in world.resolvers for text in (*r.ipv4, *r.ipv6)}
    if host not in resolvers and not _is_address(host, addresses):
        return f"the world has no resolver {host!r}", nearest(host, [*resolvers, *addresses])
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
