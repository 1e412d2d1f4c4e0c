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
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from testbed.errors import InvalidRunError
from testbed.model import LinkQuality
from testbed.world import linux
from testbed.world.build import BuiltWorld
from testbed.world.children import Body
from testbed.world.netns import assert_ours, inside
from testbed.world.plan import Interface, Plan
from testbed.world.schedule import Schedule

MOST_HELD = (
    30_000  # packets: 350 ms of 1 Gbit/s, 70 MB of kernel memory (our choice); more are dropped, counted
)
_FIRST_QUEUE = 700  # away from the censors' numbers, which share some of these namespaces
_VERSION = {0x0800: 4, 0x86DD: 6}  # ETH_P_IP, ETH_P_IPV6
_MULTICAST = {"iptables": "224.0.0.0/4", "ip6tables": "ff00::/8"}  # the kernel's own chatter is not traffic


def needed(plan: Plan) -> bool:
    """Whether any link of `plan` delays, jitters or loses."""
    return any(link.quality.delayed for link in plan.links)


def service(world: BuiltWorld, seed: int, run: Path) -> Body:
    """The delay line of `world`, for `Children.spawn`. At its end it writes RUN/receipts/delay.json.

    It exits with status 1 if packets were dropped because a queue or the line was full.
    """
    return lambda ready: _DelayLine(world, seed).serve(ready, run / "receipts" / "delay.json")


@dataclass(slots=True)
class _End:
    """One direction of a link, and the interface that holds its packets."""

    near: Interface  # the sending end
    held: Interface  # the router's end: `near`, or its peer if a host sends
    number: int  # of the queue
    schedule: Schedule
    dead: tuple[int, ...]  # IP versions
    queue: Any = None  # NetfilterQueue
    delayed: int = 0
    lost: int = 0
    overflow: int = 0  # dropped because MOST_HELD were held


class _DelayLine:
    def __init__(self, world: BuiltWorld, seed: int) -> None:
        self._world = world
        self._held: list[tuple[float, int, Any]] = []  # heap: release time, order of arrival, packet
        self._order = count()
        self._leave: list[bool] = []  # another line takes over: its rules must not be these
        self._ends = [
            _End(near, held, _FIRST_QUEUE + number, Schedule(quality, seed, str(near)), quality.dead)
            for number, (near, held, quality) in enumerate(_directions(world.plan))
        ]

    def serve(self, ready: Any, receipt: Path) -> None:
        """Hold and release packets until SIGTERM."""
        stop, stopping = os.pipe()
        signal.signal(signal.SIGTERM, lambda _number, _frame: os.write(stopping, b"!"))
        signal.signal(signal.SIGUSR1, lambda _number, _frame: self._leave.append(True))
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
        if self._leave:
            self._detach()
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
            for family in _MULTICAST:
                _add_rules(family, ends)

    def _detach(self) -> None:
        """Take the rules away and let everything that is held go at once."""
        for node in {end.held.node: None for end in self._ends}:
            ends = [end for end in self._ends if end.held.node == node]
            with inside(self._world.namespaces[node]):
                for family in _MULTICAST:
                    _add_rules(family, ends, "-D")
        for end in self._ends:
            end.queue.run(block=False)
        while self._held:
            heapq.heappop(self._held)[2].accept()

    def _taker(self, end: _End) -> Any:
        release, held, order, dead = end.schedule.release, self._held, self._order, end.dead

        def take(packet: Any) -> None:
            now = monotonic()
            when = None if dead and _VERSION.get(packet.hw_protocol) in dead else release(now)
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


def _add_rules(family: str, ends: list[_End], how: str = "-A") -> None:
    """Add the rules of these ends, or with "-D" delete them."""
    program = linux.program(f"{family}-nft-restore", "iptables")
    script = "\n".join(["*mangle", *_rules(family, ends, how), "COMMIT", ""])
    done = subprocess.run([program, "--noflush"], input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise InvalidRunError(f"delay line: {program}: {done.stderr.strip()}")


def _rules(family: str, ends: list[_End], how: str) -> Iterator[str]:
    for end in ends:
        where = (
            f"POSTROUTING -o {end.held.name}" if end.held == end.near else f"PREROUTING -i {end.held.name}"
        )
        yield f"{how} {where} ! -d {_MULTICAST[family]} -j NFQUEUE --queue-num {end.number}"


def _directions(plan: Plan) -> Iterator[tuple[Interface, Interface, LinkQuality]]:
    """Each delayed direction: the sending end, the end that holds its packets, the link's quality."""
    routers = {node.name for node in plan.nodes if node.forwards}
    for link in plan.links:
        if link.quality.delayed:
            for near, far in link.ends:
                yield near, near if near.node in routers else far, link.quality
