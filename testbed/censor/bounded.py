"""A table of limited size, for state that techniques keep beside the flows."""

from collections import OrderedDict
from typing import Generic, TypeVar

from testbed.censor.decision import Event

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A dictionary with room for `limit` entries: evicts the least recently used one.

    `entries` are to be read only; whether there are any is asked for every packet.
    """

    __slots__ = ("_limit", "entries")

    def __init__(self, limit: int) -> None:
        self.entries: OrderedDict[K, V] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, key: K) -> V | None:
        """The entry, which becomes the most recently used; None if there is none."""
        value = self.entries.get(key)
        if value is not None:
            self.entries.move_to_end(key)
        return value

    def pop(self, key: K) -> None:
        """Forget an entry, if there is one."""
        self.entries.pop(key, None)

    def put(self, key: K, value: V) -> bool:
        """Set an entry; True if another one gave way, which is to be reported (`evicted`)."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) <= self._limit:
            return False
        self.entries.popitem(last=False)
        return True


def evicted(flow: object, table: str) -> tuple[Event, ...]:
    """What a decision says when an entry of an action's table gave way: that is never silent."""
    return (Event("evict", "", str(flow), {"table": table}),)
