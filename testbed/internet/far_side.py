"""All sites and public resolvers, in two namespaces and three processes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import NoReturn

from testbed.internet.authority import Authority
from testbed.internet.hosts import LaterCertificate, Opened, far_hosts, open_service, surroundings
from testbed.internet.service import run_service, run_together
from testbed.internet.services.base import ReportReady
from testbed.model import World
from testbed.model.addressing import is_domestic
from testbed.world import interrupt
from testbed.world.children import Children
from testbed.world.netns import Namespace, inside

WARM_UP = 1.0  # seconds: our choice
_SERVERS = (  # what the processes serve with
    "hypercorn.asyncio.run",
    "testbed.internet.behaviour",
    "testbed.internet.dns",
    "testbed.internet.pages",
    "testbed.internet.web",
)
_LATE_SERVERS = ("hypercorn.protocol.quic", "testbed.internet.doh")
_LATE = "late"
_WITH = {"stun": "dns"}  # a service that is in the process of another

Enter = Callable[[], Namespace | None]


@dataclass(frozen=True, slots=True)
class _Visited:
    """A service of a host that is there for visitors, and its host's certificate."""

    opened: Opened
    certificate: LaterCertificate


def serve_far_side(
    world: World,
    authority: Authority,
    ready: ReportReady,
    enter: Enter = lambda: None,
    wanted: Callable[[str], bool] = lambda _: True,
) -> NoReturn:
    """Serve the sites and public resolvers of `world` until SIGTERM.

    `wanted` chooses among them by main name. `enter` is called when all is loaded that they serve with, and
    moves this process into the far namespace, which is still being built while it loads; what it returns is
    the namespace of the sites at home (None: they are here, too).

    Every socket is open before anything is served. There is a process for sites, one for resolvers, and later
    one for all that are `late`.
    """
    for name in _SERVERS:  # here, once, and not in each of the processes
        import_module(name)
    hosts = [host for host in far_hosts(world) if wanted(host.key)]
    domestic = enter()
    around = surroundings(world)
    groups: dict[str, list[_Visited]] = {}
    for host in hosts:
        addresses = (*host.ipv4, *host.ipv6)
        certificate = LaterCertificate(host, addresses, authority)
        with inside(domestic) if domestic and is_domestic(host.country, world) else nullcontext():
            for service in host.services:
                one = open_service(service, host, addresses, certificate.files, around)
                group = _LATE if service.late else _WITH.get(service.key, service.key)
                groups.setdefault(group, []).append(_Visited(one, certificate))
    late = groups.pop(_LATE, [])
    around.zone()  # likewise
    run_together(
        {key: partial(_serve_group, group, ()) for key, group in groups.items()},
        ready,
        partial(_serve_late, late),
    )


def _serve_late(group: Sequence[_Visited], children: Children) -> None:
    """Begin once something arrives at one of the services, or start-up is over.

    Loading HTTP/3 takes 300 ms of a processor that the world is being built on. Until then what arrives waits
    in the sockets, and nothing is lost.
    """
    if group:
        interrupt.wait([each.fileno() for one in group for each in one.opened.sockets], WARM_UP)
        children.spawn(_LATE, partial(_serve_group, group, _LATE_SERVERS))


def _serve_group(group: Sequence[_Visited], servers: Sequence[str], ready: ReportReady) -> NoReturn:
    for name in servers:
        import_module(name)
    run_service(partial(_serve_visitors, group), ready)


async def _serve_visitors(group: Sequence[_Visited], ready: ReportReady) -> None:
    """Serve each of the group from its first visitor on, who waits one to three milliseconds for it.

    A world has dozens of sites, and a run visits a few.
    """
    async with asyncio.TaskGroup() as tasks:
        for one in group:
            tasks.create_task(_serve_from_first(one))
        ready()


async def _serve_from_first(one: _Visited) -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    for each in one.opened.sockets:
        loop.add_reader(each, came.set)
    await came.wait()
    for each in one.opened.sockets:
        loop.remove_reader(each)
    one.certificate.make()
    await one.opened.service.serve(one.opened.place, lambda: None)
