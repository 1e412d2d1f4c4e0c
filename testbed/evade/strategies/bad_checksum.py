"""bad-checksum: a decoy with a wrong TCP checksum, which every receiver drops (RFC 9293 section 3.1)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class BadChecksum(DecoyFirst):
    """NAT boxes at home mend or drop such packets; there are none on our way."""

    key: ClassVar[str] = "bad-checksum"

    def faulty(self, decoy: Segment) -> Segment:
        """The receiver's kernel drops it."""
        return replace(decoy, fault="checksum")
