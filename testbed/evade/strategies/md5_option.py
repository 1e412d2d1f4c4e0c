"""md5-option: a decoy with the TCP MD5 option (RFC 2385), which a server without a key for it drops."""

from dataclasses import dataclass, replace
from typing import ClassVar

from testbed.evade.decoys import DecoyFirst
from testbed.evade.segment import Segment


@dataclass(frozen=True, slots=True)
class Md5Option(DecoyFirst):
    """Linux does so; not every system checks."""

    key: ClassVar[str] = "md5-option"

    def faulty(self, decoy: Segment) -> Segment:
        """The receiver's kernel drops it."""
        return replace(decoy, fault="md5")
