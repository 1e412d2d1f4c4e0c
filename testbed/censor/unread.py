"""Names that go by unread: what a box does not see in the form in which it comes, and its user wants to know.

A ClientHello in several segments passes most boxes, as it should. So that nobody takes that for a rule that
does not work, the beginning of such a flow is put together on the side, and decides nothing.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from testbed.censor.inspect import Content, Kind
from testbed.censor.packet import UDP, Packet
from testbed.censor.parsers import Unread, http, tls
from testbed.censor.stream import HANDSHAKE, Stream, hello_records, whole_hello

if TYPE_CHECKING:
    from testbed.censor.parsers.quic import InitialReader

_ALL: Final = 1 << 32
_MOST: Final = 8  # segments or datagrams looked at; our choice


@dataclass(slots=True)
class Watch:
    """The beginning of one flow that the box did not read whole. `start`: the client's first byte."""

    start: int | None = None  # sequence number; None: of the first packet that comes
    packets: int = 0
    over: bool = False  # nothing more is looked at
    why: str = ""  # it was not read, once that is known
    _disorder: bool = False
    _next: int | None = None  # sequence number that a segment in order has
    _stream: Stream = field(default_factory=Stream)
    _initials: "InitialReader | None" = None

    def add(self, packet: Packet) -> Content | None:
        """What the beginning shows, once it is whole."""
        self.packets += 1
        content = self._datagram(packet) if packet.protocol == UDP else self._segment(packet)
        self.over = self.over or content is not None or self.packets >= _MOST
        return content

    def _segment(self, packet: Packet) -> Content | None:
        if self.packets == 1 and self.start is not None:
            self._stream.begin(self.start)
            self._next = self.start
        self._disorder |= self._next is not None and packet.seq != self._next
        self._next = (packet.seq + len(packet.payload)) % _ALL
        self._stream.add(packet)
        prefix = self._stream.prefix
        hello = tls.client_hello(whole_hello(prefix))
        if isinstance(hello, tls.ClientHello):
            self.why = self._not_joined("ClientHello", hello_records(prefix))
            return Content(Kind.TLS, hello.server_name or "", hello=hello)
        host = http.host(prefix)
        if isinstance(host, str):
            self.why = self._not_joined("request", 1)
            url = http.url(prefix)
            return Content(Kind.HTTP, host, payload=prefix, url=url if isinstance(url, str) else "")
        self.over = (host is Unread.NOT and not prefix.startswith(HANDSHAKE)) or self._stream.full
        return None

    def _not_joined(self, what: str, records: int) -> str:
        pieces = {"segments": self.packets, "records": records}
        came = " and ".join(f"in {count} {name}" for name, count in pieces.items() if count > 1)
        names = " or ".join(name for name, count in pieces.items() if count > 1)
        order = ", the later ones first" * self._disorder
        return f"its {what} came {came}{order}, and this box does not put {names} together"

    def _datagram(self, packet: Packet) -> Content | None:
        from testbed.censor.parsers.quic import ALL, InitialReader, is_initial

        self._initials = self._initials or InitialReader(ALL)
        if not is_initial(packet.payload):
            return None  # a decoy: the flow's first datagram is all that a box of 2022 judges
        hello = self._initials.feed(packet.payload)
        if isinstance(hello, Unread):
            self.over = hello is Unread.NOT
            return None
        form = "a form" if self.packets == 1 else f"{self.packets} datagrams, a form"
        self.why = f"its ClientHello came in {form} of QUIC that this box does not read"
        return Content(Kind.INITIAL, hello.server_name or "", hello=hello)
