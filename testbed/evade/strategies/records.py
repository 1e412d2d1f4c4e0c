"""records: the ClientHello in two TLS records of one segment. Boxes that read one record find no name.

RFC 8446 section 5.1 lets a handshake message be split over records; servers put it together.
"""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.hello import Hello, checked_cut, record
from testbed.evade.strategy import Pieces, Strategy


@dataclass(frozen=True, slots=True)
class Records(Strategy):
    """Cut after so many bytes of the message (`records:1`), or in the middle of the server name."""

    key: ClassVar[str] = "records"

    def __post_init__(self) -> None:
        """ValueError for what is no place to cut."""
        checked_cut(self.value)

    def cut(self, piece: bytes) -> Pieces:
        """One piece of two records."""
        hello = Hello.read(piece)
        if hello is None or not 0 < (at := hello.place(self.value)) < len(hello.body):
            return (piece,)
        first, second = hello.body[:at], hello.body[at:]
        return (record(hello.version, first) + record(hello.version, second) + hello.rest,)
