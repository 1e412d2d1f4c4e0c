"""Small worlds for these tests, in which commands run at a node."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

from testbed.model import PERFECT, LinkQuality, Operator, PublicResolver, Site, World
from testbed.world import delay
from testbed.world.build import build
from testbed.world.children import Children
from testbed.world.netns import inside
from testbed.world.plan import plan

SITE4, SITE6 = "104.244.42.1", "2606:1f80:f000:1::1"
HOUSED4, HOUSED6 = "213.87.0.200", "2a00:1fa0::200"  # a site inside the first operator's own range
KEYS = ("mts", "beeline", "megafon", "tele2")


def operator(number: int = 0, key: str = "mts", **changes) -> Operator:
    values = {
        "key": key,
        "name": key.upper(),
        "asn": 8359 + number,
        "country": "RU",
        "kind": "mobile",
        "prefix4": ip_network(f"213.87.{number}.0/24"),
        "prefix6": ip_network(f"2a00:1fa0:{number:x}::/48"),
    }
    return Operator(**{**values, **changes})


def small(
    operators: int = 1, access: LinkQuality = PERFECT, backbone: LinkQuality = PERFECT, **changes
) -> World:
    chosen = tuple(operator(i, key, access=access, **changes) for i, key in enumerate(KEYS[:operators]))
    sites = (
        Site(("twitter.com",), SITE4, SITE6, 13414),
        Site(("block.mts.ru",), HOUSED4, HOUSED6, 8359),
    )
    resolver = PublicResolver("dns.google", ("8.8.8.8",), ("2001:4860:4860::8888",), 15169)
    return World("small", chosen, sites, (resolver,), backbone)


class Lab:
    """A built world with its delay line running."""

    def __init__(self, world: World, run: Path, services: Children, seed: int) -> None:
        self.built = build(plan(world))
        self.services = services
        self.run = run
        if delay.needed(self.built.plan):
            services.spawn("delay", delay.service(self.built, seed, run))
            services.wait_ready()

    def at(self, node: str, command: Sequence[str]) -> str:
        """Standard output of a command at a node, whatever its exit status."""
        with inside(self.built.namespaces[node]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr

    def ping(self, *options: str, at: str = "mts") -> str:
        return self.at(at, ["ping", "-n", *options])


@contextmanager
def lab(world: World, seed: int = 1):
    """For use inside `isolated_call`; leaves with every service stopped."""
    with tempfile.TemporaryDirectory() as folder, Children(Path(folder) / "logs") as services:
        yield Lab(world, Path(folder), services, seed)


def in_lab(world: World, use: Callable[[Lab], object], seed: int = 1):
    """Build `world` in new namespaces, call `use` with its Lab and return what it returns."""
    from testbed.world.enter import isolated_call

    def run():
        with lab(world, seed) as built:
            return use(built)

    return isolated_call(run)
