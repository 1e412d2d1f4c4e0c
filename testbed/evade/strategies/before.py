"""before: a ChangeCipherSpec record before the ClientHello, in the same segment.

A box that looks at the first record alone finds no hello (IMC21 section 7). The server has to ignore it:
RFC 8446 section 5 allows that only after a first ClientHello, and OpenSSL refuses it.
"""

from dataclasses import dataclass
from typing import ClassVar

from testbed.evade.hello import Hello
from testbed.evade.segment import Flight, lay_out
from testbed.evade.strategy import Strategy

CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")


@dataclass(frozen=True, slots=True)
class Before(Strategy):
    """One piece: the record, then the hello as it is."""

    key: ClassVar[str] = "before"
    ordinary: ClassVar[bool] = True

    def send(self, flight: Flight) -> Flight:
        """The hello after the record."""
        return lay_out(CHANGE_CIPHER_SPEC + one.data if Hello.read(one.data) else one.data for one in flight)
