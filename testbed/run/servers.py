"""Starting the hosts of a built world: servers abroad, and programs at the subscribers.

Each service is a process of its own, `host.<host>.<service>`, with a log of that name, supervised like every
other process of the run. Its files (resolver, authorities, certificate) are in the world's own /run: no
private key touches a disk.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from testbed.internet.authority import Authority
from testbed.internet.hosts import certificate_of, open_service, surroundings
from testbed.internet.services.base import ReportReady
from testbed.model import Host, HostService
from testbed.model.addressing import addresses_of
from testbed.run.podplaces import names_at
from testbed.vantage.environment import Environment, prepare
from testbed.vantage.overlay import lay_over
from testbed.world.build import BuiltWorld
from testbed.world.children import Children
from testbed.world.linux import CLONE_NEWNS, unshare
from testbed.world.netns import show_run_of_host

if TYPE_CHECKING:
    from testbed.containers.pods import Pods

FILES = Path("/run/hosts")
_MARGIN = 5.0  # seconds above what a service gives itself to become ready: our choice


def start_hosts(
    services: Children,
    built: BuiltWorld,
    authority: Authority,
    resolvers: Callable[[str], Sequence[str]],
    logs: Path,
    pods: "Pods | None" = None,
) -> None:
    """Start the hosts of `built`: those abroad first, then those at its vantages, which may be their clients.

    `resolvers` gives the resolver addresses of a vantage. Errors: InvalidRunError if a service ends or is not
    ready in time, with the end of its log.
    """
    hosts = [host for host in built.plan.world.hosts if (host.at or host.key) in built.namespaces]
    for stage in ([host for host in hosts if not host.at], [host for host in hosts if host.at]):
        for host in stage:
            start_host(services, built, host, authority, resolvers(host.at), logs, pods=pods)
        if stage:
            longest = max((one.start_within for host in stage for one in host.services), default=0.0)
            services.wait_ready(longest + _MARGIN)


def start_host(
    services: Children,
    built: BuiltWorld,
    host: Host,
    authority: Authority,
    resolvers: Sequence[str],
    logs: Path,
    further: Mapping[str, str] = MappingProxyType({}),
    pods: "Pods | None" = None,
) -> None:
    """Start the services of one host, each in a process; commands get the `further` variables."""
    world, addresses = built.plan.world, addresses_of(host, built.plan.world)
    place = host.at or host.key
    names = names_at(dict.fromkeys((*world.hosts, host)), place)
    environment = prepare(FILES, authority, resolvers, host.key, names=names)
    start_container = pods.starting(place) if pods else None
    certificate = _write(FILES / host.key, certificate_of(host, addresses, authority))
    variables = {**_variables(host, addresses, environment, certificate), **further}
    around = surroundings(world)
    for name, service in _named(host):

        def serve(ready: ReportReady, service: HostService = service, name: str = name) -> None:
            unshare(CLONE_NEWNS)
            show_run_of_host(place, FILES / host.key)
            lay_over(environment.tree, environment.scratch)
            one = open_service(service, host, addresses, certificate, around)
            its = replace(one.place, environment=variables, log=logs / f"{name}.log")
            one.service.start(replace(its, start_container=start_container), ready)

        services.spawn(name, serve, built.namespaces[place])
        if host.in_order:
            services.wait_ready(service.start_within + _MARGIN)


def _write(folder: Path, certificate: tuple[str, str]) -> tuple[str, str]:
    """The certificate (chain, key) as the files chain.pem and key.pem."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_text(certificate[0])
    key.touch(0o600)
    key.write_text(certificate[1])
    return str(chain), str(key)


def _named(host: Host) -> Iterable[tuple[str, HostService]]:
    """Each service with the name of its process: the second `command` of a host is `command-2`."""
    seen: dict[str, int] = {}
    for service in host.services:
        seen[service.key] = number = seen.get(service.key, 0) + 1
        yield f"host.{host.key}.{service.key}" + (f"-{number}" if number > 1 else ""), service


def _variables(
    host: Host, addresses: Sequence[str], environment: Environment, certificate: tuple[str, str]
) -> Mapping[str, str]:
    chain, key = certificate
    return {
        **environment.for_program(os.environ),
        "TESTBED_HOST": (*host.names, host.key)[0],
        "TESTBED_IPV4": next(address for address in addresses if ":" not in address),
        "TESTBED_IPV6": next(address for address in addresses if ":" in address),
        "TESTBED_CHAIN": chain,
        "TESTBED_KEY": key,
        "TESTBED_CA": str(FILES / host.key / "root.pem"),
    }
