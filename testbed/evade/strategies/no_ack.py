"""no-ack: a decoy without the ACK flag, which no open connection takes (RFC 9293 section 3.10.7.4)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class NoAck(DecoyFirst):
    """Linux drops it without a word."""

    key: ClassVar[str] = "no-ack"

    def faulty(self, decoy: Segment) -> Segment:
        """The receiver's kernel drops it."""
        return replace(decoy, fault="ack")
