"""Names that go by unread: what a box that reads packets singly does not see, and its user wants to know.

A ClientHello in several segments passes most boxes, as it should. So that nobody takes that for a rule that
does not work, the beginning of such a flow is put together on the side, and decides nothing.
"""

from dataclasses import dataclass, field
from typing import Final

from testbed.censor.packet import Packet
from testbed.censor.parsers import Unread, tls
from testbed.censor.stream import Stream, whole_hello

_MOST: Final = 8  # segments looked at; our choice


@dataclass(slots=True)
class Watch:
    """The beginning of one flow whose ClientHello came incomplete."""

    segments: int = 0
    over: bool = False  # nothing more is looked at
    _stream: Stream = field(default_factory=Stream)

    def add(self, packet: Packet) -> tls.ClientHello | None:
        """The ClientHello, once it is whole."""
        self._stream.add(packet)
        self.segments += 1
        hello = tls.client_hello(whole_hello(self._stream.prefix))
        if isinstance(hello, tls.ClientHello):
            self.over = True
            return hello
        self.over = hello is not Unread.MORE or self.segments >= _MOST or self._stream.full
        return None
