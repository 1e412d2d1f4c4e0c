"""old-timestamp: a decoy with a timestamp older than the last one, which PAWS drops (RFC 7323 section 5)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class OldTimestamp(DecoyFirst):
    """Needs a connection with timestamps, as Linux opens it."""

    key: ClassVar[str] = "old-timestamp"

    def faulty(self, decoy: Segment) -> Segment:
        """The receiver's kernel drops it."""
        return replace(decoy, fault="timestamp")
