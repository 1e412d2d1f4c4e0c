"""All sites and public resolvers, in two namespaces and three processes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from typing import NoReturn

from testbed.internet.authority import Authority
from testbed.internet.hosts import Opened, certificate_files, far_hosts, open_service, surroundings
from testbed.internet.service import run_service, run_together
from testbed.internet.services.base import ReportReady
from testbed.model import Host, World
from testbed.model.addressing import is_domestic
from testbed.world import interrupt
from testbed.world.netns import Namespace, inside

WARM_UP = 1.0  # seconds: our choice
_SERVERS = (
    "hypercorn.asyncio.run",
    "testbed.internet.dns",
)  # what more than one of the processes serves with

Enter = Callable[[], Namespace | None]


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

    Every socket is open before anything is served. One process for each kind of service, side by side, and
    one for all that are `late`.
    """
    for name in _SERVERS:  # here, once, and not in each of the processes
        import_module(name)
    hosts = [host for host in far_hosts(world) if wanted(host.key)]
    certified = [(host, certificate_files(host, _addresses(host), authority)) for host in hosts]
    domestic = enter()
    around = surroundings(world)
    groups: dict[str, list[Opened]] = {}
    for host, certificate in certified:
        with inside(domestic) if domestic and is_domestic(host.country, world) else nullcontext():
            for service in host.services:
                one = open_service(service, host, _addresses(host), certificate, around)
                groups.setdefault("late" if service.late else service.key, []).append(one)
    run_together({key: partial(_serve_group, key, group) for key, group in groups.items()}, ready)


def _addresses(host: Host) -> tuple[str, ...]:
    return (*host.ipv4, *host.ipv6)


def _serve_group(key: str, group: Sequence[Opened], ready: ReportReady) -> NoReturn:
    if key == "late":
        ready()
        wait_for_traffic(group)
        run_service(lambda _: _serve_all(group, lambda: None), ready)
    run_service(partial(_serve_all, group), ready)


def wait_for_traffic(group: Iterable[Opened]) -> None:
    """Return once something arrives at one of the services, or start-up is over.

    Loading HTTP/3 takes 300 ms of a processor that the world is being built on. Until then what arrives waits
    in the sockets, and nothing is lost.
    """
    waiting = [each.fileno() for one in group for sockets in one.place.sockets.values() for each in sockets]
    interrupt.wait(waiting, WARM_UP)


async def _serve_all(group: Sequence[Opened], ready: ReportReady) -> None:
    missing = len(group)

    def up() -> None:
        nonlocal missing
        missing -= 1
        if not missing:
            ready()

    async with asyncio.TaskGroup() as tasks:
        for one in group:
            tasks.create_task(one.service.serve(one.place, up))
