"""The delay line: delay, jitter and loss of links, by holding packets in kernel queues.

One process serves the whole world. Each delayed link end sends what it transmits to an NFQUEUE. Only the
packet's number comes here, and its verdict is issued when it is due. If this process dies, the kernel drops
the packets: a link never becomes perfect unnoticed.

Packets are held on routers only. A packet held on its way out of the sending host would count as part of that
host's send queue, and TCP would hold back the next one (measured: 2 Mbit/s at 20 ms). A packet held on its
way into a host would appear in that host's captures too early.

(Besides the middlebox, the only importer of netfilterqueue.)
"""

import gc
import heapq
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from testbed.errors import InvalidRunError
from testbed.model import LinkQuality
from testbed.world import linux
from testbed.world.build import BuiltWorld
from testbed.world.children import Body, run_program
from testbed.world.netns import assert_ours, inside
from testbed.world.plan import Interface, Plan
from testbed.world.queuerule import QueueingChain, queue_in
from testbed.world.schedule import Schedule
from testbed.world.sharednumber import SharedNumber

MOST_HELD = (
    30_000  # packets: 350 ms of 1 Gbit/s, 70 MB of kernel memory (our choice); more are dropped, counted
)
_TOGETHER = 100  # ends whose rules nft gets at once; four hundred overflow an ordinary user's netlink socket
_FIRST_QUEUE = 700  # away from the censors' numbers, which share some of these namespaces
_VERSION = {0x0800: 4, 0x86DD: 6}  # ETH_P_IP, ETH_P_IPV6
_MULTICAST = {"ip": "224.0.0.0/4", "ip6": "ff00::/8"}  # the kernel's own chatter is not traffic


def needed(*plans: Plan) -> bool:
    """Whether any link of these delays, jitters or loses."""
    return any(link.quality.delayed for plan in plans for link in plan.links)


def service(
    world: BuiltWorld,
    seed: int,
    run: Path,
    plans: Sequence[Plan] = (),
    current: SharedNumber | None = None,
) -> Body:
    """The delay line of `world`, for `Children.spawn`. At its end it writes RUN/receipts/delay.json.

    `plans` differ in nothing but the qualities of their links, and `current` is the number of the one that
    holds; without them, the world's own plan does. It exits with status 1 if packets were dropped because a
    queue or the line was full.
    """
    line = _DelayLine(world, seed, plans or [world.plan], current or SharedNumber())
    return lambda ready: line.serve(ready, run / "receipts" / "delay.json")


@dataclass(frozen=True, slots=True)
class _State:
    """What one plan has this direction do."""

    schedule: Schedule
    dead: tuple[int, ...]  # IP versions


@dataclass(slots=True)
class _End:
    """One direction of a link, and the interface that holds its packets."""

    near: Interface  # the sending end
    held: Interface  # the router's end: `near`, or its peer if a host sends
    number: int  # of the queue
    states: list[_State]  # by the number of the plan
    queue: Any = None  # NetfilterQueue
    delayed: int = 0
    lost: int = 0
    overflow: int = 0  # dropped because MOST_HELD were held


class _DelayLine:
    def __init__(self, world: BuiltWorld, seed: int, plans: Sequence[Plan], current: SharedNumber) -> None:
        self._world = world
        self._current = current
        self._held: list[tuple[float, int, Any]] = []  # heap: release time, order of arrival, packet
        self._order = count()
        self._ends = [
            _End(
                near,
                held,
                _FIRST_QUEUE + number,
                [_State(Schedule(q, seed, str(near)), q.dead) for q in each],
            )
            for number, (near, held, each) in enumerate(directions(plans))
        ]

    def serve(self, ready: Any, receipt: Path) -> None:
        """Hold and release packets until SIGTERM."""
        stop, stopping = os.pipe()
        signal.signal(signal.SIGTERM, lambda _number, _frame: os.write(stopping, b"!"))
        linux.precise_timers()
        for node in {end.held.node: None for end in self._ends}:
            self._attach(node)
        gc.freeze()
        gc.disable()  # nothing here creates cycles, and a pause would delay packets
        ready()
        by_fd = {end.queue.get_fd(): end.queue for end in self._ends}
        poller = linux.Poller([stop, *by_fd])
        arrived: list[int] = []
        while stop not in arrived:
            timeout = max(0.0, self._held[0][0] - monotonic()) if self._held else None
            arrived = poller.wait(timeout)
            self._release()
            for fd in arrived:
                if fd != stop:
                    by_fd[fd].run(block=False)
        overrun = self._write(receipt)
        if overrun:
            sys.exit(f"delay line: {overrun} packets were dropped because a queue was full")

    def _attach(self, node: str) -> None:
        from netfilterqueue import COPY_META, NetfilterQueue

        namespace = self._world.namespaces[node]
        assert_ours(namespace)
        ends = [end for end in self._ends if end.held.node == node]
        with inside(namespace):
            for end in ends:
                end.queue = NetfilterQueue()
                end.queue.bind(end.number, self._taker(end), max_len=MOST_HELD, mode=COPY_META)
            for start in range(0, len(ends), _TOGETHER):
                _add_rules(ends[start : start + _TOGETHER])

    def _taker(self, end: _End) -> Any:
        states, current, held, order = end.states, self._current, self._held, self._order

        def take(packet: Any) -> None:
            now = monotonic()
            state = states[current.value]
            lost = state.dead and _VERSION.get(packet.hw_protocol) in state.dead
            when = None if lost else state.schedule.release(now)
            if when is None:
                end.lost += 1
                packet.drop()
            elif len(held) >= MOST_HELD:
                end.overflow += 1
                packet.drop()
            else:
                end.delayed += 1
                heapq.heappush(held, (when, next(order), packet))
            if held and held[0][0] <= now:  # due packets must not wait for a busy queue
                self._release()

        return take

    def _release(self) -> None:
        held, now = self._held, monotonic()
        while held and held[0][0] <= now:
            heapq.heappop(held)[2].accept()

    def _write(self, receipt: Path) -> int:
        """Write the counters; return how many packets were dropped for lack of room."""
        links, overrun = {}, 0
        for end in self._ends:
            kernel = self._kernel_counters(end)
            links[str(end.near)] = {
                "delayed": end.delayed,
                "lost": end.lost,
                "overflow": end.overflow,
                **kernel,
            }
            overrun += end.overflow + sum(kernel.values())
        total = {key: sum(link[key] for link in links.values()) for key in next(iter(links.values()), {})}
        receipt.parent.mkdir(parents=True, exist_ok=True)
        receipt.write_text(
            json.dumps({"service": "delay", **total, "links": links}, indent=1), encoding="utf-8"
        )
        return overrun

    def _kernel_counters(self, end: _End) -> dict[str, int]:
        with inside(self._world.namespaces[end.held.node]):
            table = Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text(encoding="ascii")
        for row in map(str.split, table.splitlines()):
            if int(row[0]) == end.number:
                return {"queue_dropped": int(row[5]), "user_dropped": int(row[6])}
        raise InvalidRunError(f"delay line: queue {end.number} of {end.near} no longer exists")


def _add_rules(ends: list[_End]) -> None:
    script = "".join(_rules(family, end) for family in _MULTICAST for end in ends)
    run_program([linux.program("nft", "nftables"), "-f", "-"], "the delay line's rules", script)
    queue_in(
        [QueueingChain(family, "mangle", _chain(end), end.number) for family in _MULTICAST for end in ends]
    )


def _rules(family: str, end: _End) -> str:
    """nft's input: what the end transmits, or gets, goes to its own chain."""
    leaves = end.held == end.near
    hook, device = ("postrouting", "oifname") if leaves else ("prerouting", "iifname")
    base, table = hook.upper(), f"table {family} mangle"
    taken = f'{device} "{end.held.name}" {family} daddr != {_MULTICAST[family]}'
    return (
        f"{table} {{\nchain {base} {{\n  type filter hook {hook} priority mangle; policy accept;\n}}\n"
        f"chain {_chain(end)} {{\n}}\n}}\n"
        f"add rule {family} mangle {base} {taken} jump {_chain(end)}\n"
    )


def _chain(end: _End) -> str:
    return f"delay_{end.number}"


def directions(plans: Sequence[Plan]) -> Iterator[tuple[Interface, Interface, list[LinkQuality]]]:
    """Each delayed direction: the sending end, the end that holds its packets, its quality in each plan."""
    routers = {node.name for node in plans[0].nodes if node.forwards}
    for same in zip(*(plan.links for plan in plans), strict=True):
        qualities = [link.quality for link in same]
        if any(quality.delayed for quality in qualities):
            for near, far in same[0].ends:
                yield near, near if near.node in routers else far, qualities
