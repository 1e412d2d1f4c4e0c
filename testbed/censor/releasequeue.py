"""Delayed packets, ordered by the time at which each is due."""

import heapq
from typing import Generic, TypeVar

P = TypeVar("P")


class ReleaseQueue(Generic[P]):
    """A bounded queue of items ordered by due time; items due at the same time keep their order.

    `heap` is to be read only; whether there is anything in it is asked for every packet.
    """

    def __init__(self, limit: int) -> None:
        self.heap: list[tuple[float, int, P]] = []
        self._limit = limit
        self._order = 0

    def push(self, due: float, item: P) -> bool:
        """Queue an item until `due`; False if the queue is full."""
        if len(self.heap) >= self._limit:
            return False
        self._order += 1
        heapq.heappush(self.heap, (due, self._order, item))
        return True

    def next_due(self) -> float | None:
        """When the first item is due; None if the queue is empty."""
        return self.heap[0][0] if self.heap else None

    def pop_due(self, now: float) -> P | None:
        """Remove and return the first item if it is due at `now`, else None."""
        if self.heap and self.heap[0][0] <= now:
            return heapq.heappop(self.heap)[2]
        return None
