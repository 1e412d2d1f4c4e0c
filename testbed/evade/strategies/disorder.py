"""disorder: the last packet first. A box that does not sort segments never sees the beginning in time."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.segment import Flight
from testbed.evade.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Disorder(Strategy):
    """Write a strategy that cuts before it."""

    key: ClassVar[str] = "disorder"

    def send(self, flight: Flight) -> Flight:
        """From the last to the first; a TCP receiver sorts them (RFC 9293 section 3.4)."""
        return flight[::-1]
