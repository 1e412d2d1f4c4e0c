"""segments: what comes first in two TCP segments. A box that reads single packets finds no whole hello."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.hello import RECORD_HEADER, Hello, checked_cut
from testbed.evade.strategy import Pieces, Strategy


@dataclass(frozen=True, slots=True)
class Segments(Strategy):
    """Cut after so many bytes (`segments:3`), or in the middle of the server name (`segments:name`)."""

    key: ClassVar[str] = "segments"

    def __post_init__(self) -> None:
        """ValueError for what is no place to cut."""
        checked_cut(self.value)

    def cut(self, piece: bytes) -> Pieces:
        """Two segments."""
        hello = Hello.read(piece)
        at = RECORD_HEADER + hello.place(self.value) if hello else len(piece) // 2
        if self.value.isdecimal():
            at = int(self.value)
        return (piece[:at], piece[at:]) if 0 < at < len(piece) else (piece,)
