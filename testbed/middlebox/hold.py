"""Packets that wait for their time."""

import heapq
from typing import Generic, TypeVar

P = TypeVar("P")


class Hold(Generic[P]):
    """A bounded heap of things with the time at which each is due; equal times keep their order."""

    def __init__(self, limit: int) -> None:
        self._heap: list[tuple[float, int, P]] = []
        self._limit = limit
        self._order = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, due: float, one: P) -> bool:
        """Keep one until `due`; False if there is no room."""
        if len(self._heap) >= self._limit:
            return False
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, one))
        return True

    def next_due(self) -> float | None:
        """When the first is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> P | None:
        """The first if it is due at `now`, else None."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None
