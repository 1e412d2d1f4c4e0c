"""overlap: one packet with a decoy where the server discards it, and real bytes after it.

`overlap`: the decoy lies before the window; a receiver trims it (RFC 9293 section 3.10.7.4).
`overlap:behind`: the second piece goes first and reaches back over the first one; Linux keeps what the first
piece says then.
"""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.decoys import decoy_of
from testbed.evade.segment import Flight, Segment
from testbed.evade.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Overlap(Strategy):
    """Write a strategy that cuts before it."""

    key: ClassVar[str] = "overlap"

    def __post_init__(self) -> None:
        """ValueError for another value."""
        if self.value not in ("", "behind"):
            raise ValueError("write it without a value, or overlap:behind")

    def send(self, flight: Flight) -> Flight:
        """The packets, one of them with a decoy before its bytes."""
        decoy, (first, *rest) = decoy_of(flight), flight
        if not self.value or not rest:
            return (Segment(-len(decoy), decoy + first.data, decoy=len(decoy)), *rest)
        second = rest[0]
        hidden = decoy[1 : second.at]
        return (Segment(1, hidden + second.data, decoy=len(hidden)), first, *rest[1:])
