"""A table of limited size, for state that techniques keep beside the flows."""

from collections import OrderedDict
from typing import Generic, TypeVar

from testbed.censor.decision import Event

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A dictionary with room for `limit` entries: evicts the least recently used one."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The entry, which becomes the most recently used; None if there is none."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def pop(self, key: K) -> None:
        """Forget an entry, if there is one."""
        self._entries.pop(key, None)

    def put(self, key: K, value: V) -> bool:
        """Set an entry; True if another one gave way, which is to be reported (`evicted`)."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) <= self._limit:
            return False
        self._entries.popitem(last=False)
        return True


def evicted(flow: object, table: str) -> tuple[Event, ...]:
    """What a decision says when an entry of an action's table gave way: that is never silent."""
    return (Event("evict", "", str(flow), {"table": table}),)
