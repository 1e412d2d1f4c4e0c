"""All sites and public resolvers, in two namespaces and three processes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NoReturn

from testbed.internet.authority import Authority
from testbed.internet.hosts import Opened, far_hosts, opened, surroundings
from testbed.internet.service import run_service, run_together
from testbed.internet.services.base import ReportReady
from testbed.model import World
from testbed.model.addressing import is_domestic
from testbed.world import interrupt
from testbed.world.netns import Namespace, inside

WARM_UP = 1.0  # seconds: our choice


def serve_far_side(
    world: World,
    authority: Authority,
    ready: ReportReady,
    domestic: Namespace | None = None,
    wanted: Callable[[str], bool] = lambda _: True,
) -> NoReturn:
    """Serve the sites and public resolvers of `world` until SIGTERM. Call it in the far namespace.

    `wanted` chooses among them by main name. Those at home have their sockets in the namespace `domestic`;
    without one, here.

    Every socket is open before anything is served. One process for each kind of service, side by side, and
    one for all that are `late`.
    """
    around = surroundings(world)
    groups: dict[str, list[Opened]] = {}
    for host in far_hosts(world):
        if not wanted(host.key):
            continue
        with inside(domestic) if domestic and is_domestic(host.country, world) else nullcontext():
            services = opened(host, (*host.ipv4, *host.ipv6), authority, around)
        for one in services:
            groups.setdefault("late" if one.service.late else one.service.key, []).append(one)
    run_together({key: partial(_serve_group, key, group) for key, group in groups.items()}, ready)


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
