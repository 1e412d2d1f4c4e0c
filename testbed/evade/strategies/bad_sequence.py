"""bad-sequence: a decoy that lies before the window, so that the receiver takes it for an old copy."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class BadSequence(DecoyFirst):
    """`bad-sequence:N`: N bytes before; without a number 10,000, as nfqws sends it."""

    key: ClassVar[str] = "bad-sequence"

    def __post_init__(self) -> None:
        """ValueError for anything but a number."""
        if self.value and not (self.value.isascii() and self.value.isdecimal() and int(self.value)):
            raise ValueError("write a number of bytes")

    def faulty(self, decoy: Segment) -> Segment:
        """RFC 9293 section 3.10.7.4: not acceptable, acknowledged and dropped."""
        return replace(decoy, at=decoy.at - int(self.value or "10000"))
