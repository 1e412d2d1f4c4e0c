"""The targets of a scenario: each URL parses, and what it names exists in the world."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from ipaddress import ip_address

from testbed.errors import InputError, nearest
from testbed.measurement.kinds import KINDS, parse
from testbed.measurement.target import Fault, ProbeKind, Target
from testbed.model import World
from testbed.scenario.plugin import Plugin, load_class
from testbed.scenario.problems import Loc, shown
from testbed.scenario.sources import Sources

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986 section 3.1, in lower case


class TargetParser:
    """Parses and checks the targets of one scenario, with the kinds that its own files add."""

    def __init__(self, references: list[str], sources: Sources) -> None:
        self._sources = sources
        self._hosts = WorldHosts(sources.world)
        self._plugins: dict[str, Plugin[type[ProbeKind]]] = {}
        self._incomplete = False  # a kind of the scenario could not be loaded
        self.kinds: Mapping[str, ProbeKind] = {**KINDS, **self._loaded(references)}

    def target(self, url: str, loc: Loc) -> Target | None:
        """The target; None if something is wrong with it, which is then noted."""
        scheme = url.partition("://")[0].lower()
        if self._incomplete and scheme not in self.kinds:
            return None  # probably the kind that was reported already
        plugin = self._plugins.get(scheme)
        place = self._sources.document.place(loc)
        guard: AbstractContextManager[None] = plugin.running(place) if plugin else nullcontext()
        try:
            with guard:
                target = parse(url, self.kinds)
                fault = _missing(target, self._hosts) or self._port_fault(target)
        except InputError as error:
            for problem in error.problems:
                self._sources.add(loc, problem.message, problem.remedy)
            return None
        if fault:
            self._sources.add(loc, *fault)
            return None
        return target

    def _port_fault(self, target: Target) -> Fault | None:
        port, known = target.written_port, self._hosts.ports(target.host)
        if port is None or port in known or target.kind.any_port:
            return None
        if known:
            return f"no service of {target.host!r} listens on port {port}", nearest(port, map(str, known))
        return f"{target.url!r} has port {port}", "sites listen on standard ports: leave it out"

    def _loaded(self, references: list[str]) -> dict[str, ProbeKind]:
        kinds: dict[str, ProbeKind] = {}
        for index, reference in enumerate(references):
            loc: Loc = ("probe_kinds", index)
            document = self._sources.document
            place = document.place(loc)
            try:
                plugin = load_class(document.folder, reference, place, ProbeKind, "a probe kind")  # type: ignore[type-abstract]
                with plugin.running(place):
                    kind = plugin.value()
            except InputError as error:
                self._sources.problems.found.extend(error.problems)
                self._incomplete = True
                continue
            self._sources.used(plugin.path, plugin.digest)
            if fault := _scheme_fault(plugin, kinds):
                self._sources.add(loc, *fault)
                self._incomplete = True
            else:
                kinds[kind.scheme] = kind
                self._plugins[kind.scheme] = plugin
        return kinds


def _missing(target: Target, hosts: "WorldHosts") -> Fault | None:
    """What the target's kind finds missing. A class of one's own may answer with anything."""
    found: object = target.kind.missing(target, hosts)
    match found:
        case None:
            return None
        case (str(message), str(remedy)):
            return message, remedy
    raise TypeError(f"missing() returned {shown(found)}: write None, or a tuple of message and remedy")


def _scheme_fault(plugin: Plugin[type[ProbeKind]], others: Mapping[str, ProbeKind]) -> Fault | None:
    scheme = plugin.value.scheme
    if not _SCHEME.fullmatch(scheme):
        remedy = "write small letters, digits, '+', '-' and '.'"
        return f"{plugin.place}: {scheme!r} is not a URL scheme", remedy
    if scheme in KINDS or scheme in others:
        owner = "built in" if scheme in KINDS else "another class's"
        return f"{plugin.place}: the scheme {scheme!r} is {owner}", "choose another"
    return None


class WorldHosts:
    """The names and addresses of a world, as `testbed.measurement.target.Hosts`."""

    def __init__(self, world: World) -> None:
        self._world = world.name
        self._names = {name for site in world.sites for name in site.names}
        self._names |= {name for resolver in world.resolvers for name in resolver.names}
        self._names |= {name for host in world.hosts for name in host.names}
        hosts = {text for host in world.hosts for text in (*host.ipv4, *host.ipv6)}
        self._addresses = {text for site in world.sites for text in (site.ipv4, site.ipv6)} | hosts
        self._resolvers = {text for each in world.resolvers for text in (*each.ipv4, *each.ipv6)} | hosts
        self._ports = {
            name: {port for service in host.services for _, port in service.ports()}
            for host in world.hosts
            for name in (*host.names, *host.ipv4, *host.ipv6)
        }

    def host(self, name: str) -> Fault | None:
        """None if a site, resolver or host has this name, or a site or host this address."""
        if name in self._names or _shortest(name) in self._addresses:
            return None
        add = "add it to the world's sites, or as a host"
        remedy = f"{nearest(name, self._names)} Otherwise {add}" if self._names else add
        return f"no site of the world {self._world!r} answers to {name!r}", remedy

    def ports(self, name: str) -> set[int]:
        """Where the services of the host with this name or address listen; none for a site or resolver."""
        return self._ports.get(_shortest(name), set())

    def resolver(self, address: str) -> Fault | None:
        """None if a public resolver, or a host that may run one, has this address."""
        if _shortest(address) in self._resolvers:
            return None
        return f"the world has no resolver at {address!r}", nearest(address, self._resolvers)


def _shortest(text: str) -> str:
    """An address in its shortest form; any other text as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text
