"""That links delay, limit and lose as they are said to: each effect shown apart from what causes it.

Loss by the kernel's counters before and behind the delay line. Delay and rate by a few datagrams over each
such link when its phase ends, timed with one clock at both ends; a busy machine only makes them later.
"""

import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from testbed.middlebox import netfilter
from testbed.middlebox.loading import load_rules
from testbed.model import LinkQuality
from testbed.world import linux
from testbed.world.build import BuiltWorld
from testbed.world.netns import inside
from testbed.world.plan import Interface

_TABLE: Final = "lossy_links"
_PURPOSE = "watching lossy links"
_BEFORE, _BEHIND = -151, -149  # priorities; the delay line is at -150 (mangle)
_SIGMAS: Final = 5.0  # by which less may be lost than the share says: one run in millions; our choice
_SIZE: Final = 1400  # bytes of a datagram's payload
_FRAME: Final = _SIZE + 42  # as the queueing discipline counts it
_BURST: Final = 0.005  # s of a rate that may pass at once, two packets at least (testbed.world.build)
_MOST: Final = 100  # datagrams; our choice: a socket holds them. Rates above some 200 Mbit/s are not timed
_TRIES: Final = 10  # of a link that loses some
_ENOUGH: Final = 0.9  # of a delay, and half of a rate's time: what is missing is far more. Our choice
_TRAFFIC: Final = {
    4: "ip daddr != 224.0.0.0/4",
    6: "ip6 daddr != ff00::/8",
}  # the delay line takes no multicast


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of a link, and the end that holds its packets."""

    near: Interface
    far: Interface
    held: Interface
    quality: LinkQuality
    number: int


class LinkProofs:
    """The links of a world that do something to packets, watched from `begin` to `end`."""

    def __init__(self) -> None:
        self._ways: list[_Way] = []

    def begin(self, world: BuiltWorld) -> None:
        """Count from now on what lossy links are given, and what they let pass. Errors: UnsupportedError."""
        self._ways = list(_ways(world))
        for node, lossy in self._lossy().items():
            with inside(world.namespaces[node]):
                load_rules(_script(lossy), _PURPOSE)

    def end(self, world: BuiltWorld) -> list[str]:
        """A sentence for each link that did not do what it should."""
        problems = []
        for node, lossy in self._lossy().items():
            with inside(world.namespaces[node]):
                counted = netfilter.counters("inet", _TABLE)
                load_rules(f"delete table inet {_TABLE}\n", _PURPOSE)
            for way in lossy:
                given, passed = counted[f"given{way.number}"], counted[f"passed{way.number}"]
                problems += _too_little_lost(way, given, passed)
        for way in self._ways:
            quality = way.quality
            if 4 not in quality.dead and (quality.delay > quality.jitter or quality.rate):
                problems += _timed(world, way)
        self._ways = []
        return problems

    def _lossy(self) -> dict[str, list[_Way]]:
        found: dict[str, list[_Way]] = {}
        for way in self._ways:
            if way.quality.loss:
                found.setdefault(way.held.node, []).append(way)
        return found


def _ways(world: BuiltWorld) -> Iterator[_Way]:
    routers = {node.name for node in world.plan.nodes if node.forwards}
    number = 0
    for link in world.plan.links:
        for near, far in link.ends:
            number += 1
            if link.quality.delayed or link.quality.rate:
                yield _Way(near, far, near if near.node in routers else far, link.quality, number)


def _too_little_lost(way: _Way, given: int, passed: int) -> list[str]:
    share = way.quality.loss
    least = given * share - _SIGMAS * math.sqrt(given * share * (1 - share))
    if given - passed >= least:
        return []
    said = f"of {given} packets {given - passed} were lost, at least {math.ceil(least)} must be"
    return [f"{way.near}: {said}: the link loses {100 * share:g} %"]


def _timed(world: BuiltWorld, way: _Way) -> list[str]:
    """Send a few datagrams over it, and compare when they arrive."""
    quality = way.quality
    address = world.plan.node(way.far.node).addresses[0]
    with inside(world.namespaces[way.far.node]):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inside(world.namespaces[way.near.node]):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind((address, 0))
        receiver.setblocking(False)  # noqa: FBT003
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, way.near.name.encode() + b"\0")
        goal = receiver.getsockname()
        problems = []
        if quality.delay > quality.jitter:
            problems += _too_early(way, _one_way(sender, receiver, goal, quality))
        if quality.rate:
            problems += _too_fast(way, sender, receiver, goal, quality.rate)
    return problems


def _one_way(
    sender: socket.socket, receiver: socket.socket, goal: tuple[str, int], quality: LinkQuality
) -> float | None:
    """The seconds that one datagram took; None if all were lost."""
    for number in range(_TRIES):
        mark = bytes([number])
        began = time.monotonic()
        sender.sendto(mark, goal)
        if (arrived := _arrival(receiver, mark, 1.0 + 2 * quality.delay + quality.jitter)) is not None:
            return arrived - began
    return None


def _too_early(way: _Way, took: float | None) -> list[str]:
    least = way.quality.delay - way.quality.jitter
    if took is None or took >= _ENOUGH * least:
        return []
    said = f"a datagram took {1000 * took:.1f} ms, and the link delays by {1000 * least:g} ms at least"
    return [f"{way.near}: {said}"]


def _too_fast(
    way: _Way, sender: socket.socket, receiver: socket.socket, goal: tuple[str, int], rate: float
) -> list[str]:
    """A burst beyond what may pass at once: how long does the rest take?"""
    burst = max(rate / 8 * _BURST, 2 * _FRAME)
    number = min(_MOST, math.ceil(burst / _FRAME) + 8)
    mark = bytes(_SIZE)
    for _ in range(number):
        sender.sendto(mark, goal)
    arrivals = []
    while (at := _arrival(receiver, mark, 1.0 + _FRAME * 8 / rate)) is not None:
        arrivals.append(at)
        if len(arrivals) == number:
            break
    beyond = (len(arrivals) - 1) * _FRAME - burst
    if beyond <= 0 or arrivals[-1] - arrivals[0] >= _ENOUGH / 2 * 8 * beyond / rate:
        return []
    fast = 8 * len(arrivals) * _FRAME / max(arrivals[-1] - arrivals[0], 1e-6)
    return [
        f"{way.near}: datagrams passed at {fast / 1e6:.3g} Mbit/s, and the link's rate is {rate / 1e6:.3g}"
    ]


def _arrival(receiver: socket.socket, mark: bytes, patience: float) -> float | None:
    """When the next datagram that begins with `mark` arrives."""
    until = time.monotonic() + patience
    while (left := until - time.monotonic()) > 0:
        if not linux.Poller([receiver.fileno()]).wait(left):
            continue  # a signal, or the time is over
        data = receiver.recv(65535)
        if data == mark:
            return time.monotonic()
    return None


def _script(lossy: list[_Way]) -> str:
    counters = [f"counter {what}{way.number} {{ }}" for way in lossy for what in ("given", "passed")]
    chains = []
    for hook, key in (("postrouting", "oifname"), ("prerouting", "iifname")):
        mine = [way for way in lossy if (way.held == way.near) is (hook == "postrouting")]
        for what, priority in (("given", _BEFORE), ("passed", _BEHIND)):
            rules = [
                f'{key} "{way.held.name}" {traffic} counter name {what}{way.number}'
                for way in mine
                for version, traffic in _TRAFFIC.items()
                if version not in way.quality.dead
            ]
            if rules:
                form = f"type filter hook {hook} priority {priority}"
                chains.append(f"chain {what}_{hook} {{ {form}; {'; '.join(rules)}; }}")
    return "\n".join([f"table inet {_TABLE} {{", *counters, *chains, "}", ""])
