"""records: the ClientHello in several TLS records of one segment. Boxes that read one record find no name.

RFC 8446 section 5.1 lets a handshake message be split over records; servers put it together.
"""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.cutplaces import cut_at, cuts
from testbed.evade.hello import Hello, record
from testbed.evade.strategy import Cut, Pieces


@dataclass(frozen=True, slots=True)
class Records(Cut):
    """Cut after so many bytes of the message (`records:1`), within the server name, every so many bytes."""

    key: ClassVar[str] = "records"

    def cut(self, piece: bytes) -> Pieces:
        """One piece of several records."""
        hello = Hello.read(piece)
        if hello is None:
            return (piece,)
        bodies = cut_at(hello.body, cuts(self.value, len(hello.body), hello.name))
        return (b"".join(record(hello.version, body) for body in bodies) + hello.rest,)
