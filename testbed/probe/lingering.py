"""How long a box remembers a connection, and after how many it begins to act."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final

from testbed.probe.provoke import FULL, Lure, opened, provoke
from testbed.probe.wiretap import SYN, SeenPacket, Wiretap

_SHORTEST: Final = 0.5  # s; the first look. Our choice
_FINER: Final = 2  # halvings of an interval that has an end. Our choice
_LOOKS: Final = 24  # connections, each looked at once: a look may restart the box's clock. Our choice
_SYNS: Final = 1  # times that the kernel sends a lost SYN again, a second later (RFC 6298 2.1)


@dataclass(frozen=True, slots=True)
class Look:
    """One connection with harmless bytes, after a trigger.

    after: seconds from the trigger's last packet to the SYN if it is interfered with, from the trigger's
    first packet to the bytes that were answered if not: what a residual time is longer or shorter than for
    certain, however busy this machine is.
    """

    after: float
    interfered: bool


@dataclass(frozen=True, slots=True)
class ResidualFinding:
    """For how long new connections are interfered with after the trigger, in seconds.

    `longest` is None if they still were at the last look; `shortest` is 0 if they never were.
    """

    shortest: float
    longest: float | None
    looks: tuple[Look, ...] = ()

    @property
    def middle(self) -> float | None:
        """The middle of the interval; None if it has no end, 0 if there is none."""
        if self.longest is None:
            return None
        return (self.shortest + self.longest) / 2 if self.shortest else 0.0


def look_times(most: float, looks: int = _LOOKS) -> tuple[float, ...]:
    """When to look, seconds after the trigger: from `_SHORTEST` to `most`, each later by the same factor."""
    factor = (most / _SHORTEST) ** (1 / (looks - 1))
    return tuple(_SHORTEST * factor**number for number in range(looks))


def residual_from(looks: Sequence[Look]) -> ResidualFinding:
    """The interval that the looks leave: the last that met interference, the next that did not."""
    shortest = max((one.after for one in looks if one.interfered), default=0.0)
    free = [one.after for one in looks if not one.interfered and one.after > shortest]
    return ResidualFinding(shortest, min(free, default=None), tuple(sorted(looks, key=lambda one: one.after)))


def residual_times(
    lure: Lure, most: float, *, ttl: int = FULL, wait: float = 1.0, times: Sequence[float] = ()
) -> tuple[ResidualFinding, ResidualFinding]:
    """How long, after a trigger, its own 4-tuple and connections from other ports are interfered with.

    Up to `most` seconds. A connection for each look, all triggered at the start: nothing is looked at twice,
    because a packet may restart the box's clock. ttl: of the trigger; with one that dies behind the box, no
    packet of the server's restarts it either. A box that remembers the address alone takes every trigger for
    the same; its time is counted from the last one.
    """
    plan = tuple(times) or look_times(most)
    with ThreadPoolExecutor(2 * len(plan)) as pool:
        triggers = [one for one in pool.map(lambda _: _trigger(lure, ttl, wait), plan) if one]
        if not triggers:
            return residual_from(()), residual_from(())
        ended = max(one.ended for one in triggers)
        pairs = list(zip(plan, triggers, strict=False))
        own = pool.map(lambda one: _look(lure, one[1], one[1].ended + one[0], one[1].port, wait), pairs)
        others = pool.map(
            lambda one: _look(lure, _Trigger(0, one[1].began, ended), ended + one[0], 0, wait), pairs
        )
        return residual_from(list(own)), residual_from(list(others))


@dataclass(frozen=True, slots=True)
class _Trigger:
    port: int
    began: float  # monotonic: when its first bytes were sent
    ended: float  # when its connection was aborted: the box saw its last packet before


def _trigger(lure: Lure, ttl: int, wait: float) -> _Trigger | None:
    """A connection with the trigger; None if it could not be opened."""
    first = provoke(lure, ttl, wait=wait, stay=False)
    if first.flow is None:
        return None
    sent = [one.at for one in first.packets if one.outgoing and one.payload]
    ended = time.monotonic()
    return _Trigger(first.flow.near[1], min(sent, default=ended), ended)


def _look(lure: Lure, trigger: _Trigger, at: float, port: int, wait: float) -> Look:
    """At monotonic time `at`, try this local port (0: any) with harmless bytes."""
    time.sleep(max(0.0, at - time.monotonic()))
    began, answered = time.monotonic(), False
    with Wiretap() as tap:
        with suppress(OSError), opened(lure, port, wait, syns=_SYNS) as sock:
            port = sock.getsockname()[1]
            sock.settimeout(2 * wait)
            sock.sendall(lure.harmless)
            answered = bool(sock.recv(1))
        seen = [one for one in tap.watch(0) if lure.port in (one.sport, one.dport) and _near(one) == port]
    if not answered:
        first = min((one.at for one in seen if one.outgoing and one.flags & SYN), default=began)
        return Look(max(0.0, first - trigger.ended), interfered=True)
    reply = next((one.at for one in seen if not one.outgoing and one.payload), time.monotonic())
    asked = max((one.at for one in seen if one.outgoing and one.payload and one.at <= reply), default=reply)
    return Look(asked - trigger.began, interfered=False)


def _near(packet: SeenPacket) -> int:
    return packet.sport if packet.outgoing else packet.dport


@dataclass(frozen=True, slots=True)
class CountFinding:
    """How many connections worked before one did not; `limit` is None if all did."""

    limit: int | None
    tried: int


def connection_count(lure: Lure, most: int, *, wait: float = 1.0) -> CountFinding:
    """Open up to `most` connections with the trigger, side by side, until one gets no answer to it."""
    with ExitStack() as stack:
        for number in range(most):
            try:
                sock = stack.enter_context(opened(lure, wait=wait))
                sock.sendall(lure.trigger)
                sock.settimeout(3 * wait)
                answered = bool(sock.recv(1))
            except OSError:
                answered = False
            if not answered:
                return CountFinding(number, number + 1)
    return CountFinding(None, most)


def exceed(lure: Lure, count: int, *, wait: float = 1.0) -> float:
    """Open so many connections with the trigger, side by side, and wait for no answer to the last one.

    The monotonic time just before that one's trigger.
    """
    last = time.monotonic()
    with ExitStack() as stack, suppress(OSError):
        for number in range(count):
            sock = stack.enter_context(opened(lure, wait=wait))
            last = time.monotonic()
            sock.sendall(lure.trigger)
            sock.settimeout(3 * wait)
            if number < count - 1:
                sock.recv(1)
    return last


def interfered(lure: Lure, wait: float) -> bool:
    """Whether harmless bytes on a new connection get no answer."""
    made = provoke(Lure(lure.address, lure.port, lure.harmless, lure.harmless), wait=wait, stay=False)
    return bool(made.broken) or not any(one.payload for one in made.answers)


def lock_time(
    exceed: Callable[[], float],
    blocked: Callable[[], bool],
    most: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ResidualFinding:
    """How long no new connection works after `exceed`, up to `most` seconds.

    `exceed` returns when, by `clock`, the last connection asked. What is free again counts connections anew,
    so that few looks are possible: each follows an `exceed` of its own, after 1 s, 2 s, 4 s, … until it is
    free, and then between the last two. It takes about four times as long as it measures.
    """
    looks: list[Look] = []

    def look(after: float) -> bool:
        began = exceed()
        ended = clock()
        sleep(after)
        tried = clock()
        met = blocked()
        looks.append(Look(tried - ended if met else clock() - began, met))
        return met

    after, low, high = 2 * _SHORTEST, 0.0, None
    while high is None:
        if not look(after):
            high = after
        elif after >= most:
            break
        else:
            low, after = after, min(2 * after, most)
    for _ in range(_FINER if high is not None and low else 0):
        assert high is not None
        middle = (low + high) / 2
        low, high = (middle, high) if look(middle) else (low, middle)
    return residual_from(looks)
