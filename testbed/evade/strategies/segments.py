"""segments: the first bytes in several TCP segments. A box that reads single packets finds no whole hello."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.cutplaces import cut_at, cuts
from testbed.evade.hello import RECORD_HEADER, Hello, name_within
from testbed.evade.strategy import Cut, Pieces


@dataclass(frozen=True, slots=True)
class Segments(Cut):
    """Cut after so many bytes (`segments:3`), within the name (`segments:name`), or every so many."""

    key: ClassVar[str] = "segments"

    def cut(self, piece: bytes) -> Pieces:
        """A piece for each segment."""
        return tuple(cut_at(piece, cuts(self.value, len(piece), _name(piece))))


def _name(piece: bytes) -> tuple[int, int] | None:
    found = name_within(piece)
    return (RECORD_HEADER, len(piece)) if found is None and Hello.read(piece) else found
