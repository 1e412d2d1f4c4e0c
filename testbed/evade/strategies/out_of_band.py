"""out-of-band: one byte more, urgent, after the first piece. Servers skip it; boxes find it in the name.

RFC 6093 section 3: an urgent byte takes a sequence number; Linux keeps it from who does not ask for it.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.segment import Flight
from testbed.evade.strategy import Strategy


@dataclass(frozen=True, slots=True)
class OutOfBand(Strategy):
    """Write a strategy that cuts before it."""

    key: ClassVar[str] = "out-of-band"

    def send(self, flight: Flight) -> Flight:
        """The first piece with the byte, the others one place further on."""
        first, *rest = flight
        urgent = replace(first, data=first.data + b"a", urgent=len(first.data) + 1)
        return (urgent, *(replace(one, at=one.at + 1) for one in rest))
