"""Lists of servers that a box learns by itself: what rules have recognised, from a time on and for a time.

In the field this is a loop through logs and a central list (ASBI: 5 to 15 minutes); here the lists are one
box's own. Bounded: the entry that was used least recently gives way, and that is counted.
"""

from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

from testbed.censor.bounded import Bounded
from testbed.censor.units import Form

ListName = Annotated[str, Form(r"[A-Za-z0-9][A-Za-z0-9-]*", "the name of a learned list", "vpn")]

MOST_ENTRIES: Final = 4096  # of all lists of a box together; our choice


class ServerPlace(NamedTuple):
    """What a list names: a far host, on one port or (0) on all."""

    address: bytes
    port: int = 0


@dataclass(slots=True)
class ListedServer:
    """How often a server was recognised, and when the list has it."""

    flows: int = 0
    begins: float = float("inf")
    ends: float = 0.0


class LearnedLists:
    """All lists of a box."""

    __slots__ = ("_entries",)

    def __init__(self, limit: int = MOST_ENTRIES) -> None:
        self._entries: Bounded[tuple[str, ServerPlace], ListedServer] = Bounded(limit)

    def see(self, name: str, server: ServerPlace, now: float, forget: float) -> tuple[ListedServer, bool]:
        """Count one more flow to a server; whether another entry gave way.

        What was counted is forgotten `forget` seconds after the last flow, an entry when it ends.
        """
        entry = self._entries.get((name, server))
        full = False
        if entry is None or now >= entry.ends:
            entry = ListedServer()
            full = self._entries.put((name, server), entry)
        entry.flows += 1
        entry.ends = max(entry.ends, now + forget)
        return entry, full

    def has(self, name: str, address: bytes, port: int, now: float) -> bool:
        """Whether a list has the server now, on this port or on all."""
        return any(
            entry is not None and entry.begins <= now < entry.ends
            for server in (ServerPlace(address, port), ServerPlace(address))
            for entry in (self._entries.get((name, server)),)
        )
