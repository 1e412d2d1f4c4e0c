"""Decoys: requests for another name in the place of the real one, which the server must not take. Pure.

A box that takes the first request of a connection for the only one, and does not check whether a server
would accept it, looks no further.
"""

from abc import abstractmethod
from dataclasses import dataclass

from testbed.evade.hello import with_other_name
from testbed.evade.segment import Flight, Segment, in_sequence
from testbed.evade.strategy import Strategy


def decoy_of(flight: Flight) -> bytes:
    """The whole request with another name."""
    return with_other_name(in_sequence(flight))


@dataclass(frozen=True, slots=True)
class DecoyFirst(Strategy):
    """Sends a decoy before everything: as long as the first piece of what it hides."""

    def send(self, flight: Flight) -> Flight:
        """The decoy, then the packets."""
        hidden = min(flight, key=lambda one: one.at)
        data = decoy_of(flight)[: len(hidden.data)]
        return (self.faulty(Segment(0, data, decoy=len(data))), *flight)

    @abstractmethod
    def faulty(self, decoy: Segment) -> Segment:
        """The decoy, with what keeps the server from taking it."""
