"""How long a box remembers a connection, and after how many it begins to act."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from testbed.probe.provoke import FULL, Lure, opened, provoke

_SHORTEST: Final = 1.0  # s; the first look. Our choice
_LOOKS: Final = 24  # connections, each looked at once: a look may restart the box's clock. Our choice


@dataclass(frozen=True, slots=True)
class ResidualFinding:
    """For how long new connections of the same ports are interfered with after the trigger, in seconds.

    `longest` is None if they still were at the last look; `shortest` is 0 if they never were.
    """

    shortest: float
    longest: float | None
    looks: tuple[tuple[float, bool], ...]  # seconds after the trigger, whether it was interfered with
    other_ports: bool = False  # whether connections from other ports were, right after the trigger

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


def residual_time(
    lure: Lure, most: float, *, ttl: int = FULL, wait: float = 1.0, times: Sequence[float] = ()
) -> ResidualFinding:
    """How long the 4-tuple of a triggered connection is interfered with, up to `most` seconds.

    A connection for each look, all triggered at the start: nothing is looked at twice, because a packet may
    restart the box's clock. ttl: of the trigger; with one that dies behind the box, no packet of the server's
    restarts it either.
    """
    plan = tuple(times) or look_times(most)
    with ThreadPoolExecutor(len(plan)) as pool:
        seen = list(pool.map(lambda after: _look(lure, after, ttl, wait), plan))
    looks = tuple(sorted(one for one in seen if one is not None))
    blocked = [after for after, interfered in looks if interfered]
    shortest = max(blocked, default=0.0)
    free = [after for after, interfered in looks if not interfered and after > shortest]
    other = provoke(Lure(lure.address, lure.port, lure.harmless, lure.harmless), wait=wait)
    return ResidualFinding(shortest, min(free, default=None), looks, other_ports=bool(other.broken))


def _look(lure: Lure, after: float, ttl: int, wait: float) -> tuple[float, bool] | None:
    """Trigger, wait, and try the same ports with harmless bytes; None if the trigger met nothing."""
    first = provoke(lure, ttl, wait=wait, stay=False)
    if first.flow is None:
        return None
    began = time.monotonic()  # the box's last packet was seen about now: the connection is aborted
    time.sleep(after)
    again = Lure(lure.address, lure.port, lure.harmless, lure.harmless)
    tried = time.monotonic() - began
    second = provoke(again, wait=wait, port=first.flow.near[1], stay=False)
    answered = any(one.payload for one in second.answers) and not second.broken
    return (time.monotonic() - began if answered else tried), not answered


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
