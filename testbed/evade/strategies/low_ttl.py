"""low-ttl: a decoy whose hop limit ends between the box and the server."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class LowTtl(DecoyFirst):
    """`low-ttl:4`: it crosses three routers. Without a number six: past boxes within five hops (IMC21)."""

    key: ClassVar[str] = "low-ttl"

    def __post_init__(self) -> None:
        """ValueError for anything but a number."""
        if self.value and not (self.value.isascii() and self.value.isdecimal() and 0 < int(self.value) < 256):
            raise ValueError("write a hop limit, 1 to 255")

    def faulty(self, decoy: Segment) -> Segment:
        """It dies on the way."""
        return replace(decoy, hop_limit=int(self.value or "6"))
