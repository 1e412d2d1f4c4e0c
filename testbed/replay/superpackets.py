"""What the offloads of a network card leave in a capture, brought to the form that it had on the wire.

A host that captures its own traffic sees TCP segments before the card cuts them (TSO, GSO) and after it has
merged them (LRO, GRO), up to 64 KiB and more, with checksums that the card would have completed. No box on
the path ever saw those.
"""

from typing import Final

from testbed.censor.bounded import Bounded
from testbed.censor.packet import FIN, PSH, SYN, TCP, Packet, parse
from testbed.censor.segments import options
from testbed.censor.wire import checksum, pseudo_header, with_header_checksum

LARGEST_WIRE: Final = 1500  # bytes of an IP packet on Ethernet
_CWR: Final = 0x80  # RFC 3168 section 6.1.2: once
_MSS: Final = 2  # the option of RFC 9293 section 3.7.1
_SMALLEST_MSS: Final = 48  # Linux' tcp_min_snd_mss: no sender goes below
_MOST_SENDERS: Final = 65_536  # whose limit is remembered; our choice
_LARGEST_LENGTH: Final = 0xFFFF


class WireSize:
    """Cuts packets to the size that they had on the wire; remembers the MSS option of each connection."""

    def __init__(self, largest: int = LARGEST_WIRE, *, complete_checksums: bool = False) -> None:
        """`largest`: bytes of an IP packet. `complete_checksums`: do what the card would have done."""
        self._largest = largest
        self._complete = complete_checksums
        self.least = -1 if complete_checksums else largest
        """No packet up to this size is anything but itself, unless it is a SYN."""
        self._segment: Bounded[bytes, int] = Bounded(_MOST_SENDERS)

    def pieces(self, raw: bytes) -> list[bytes]:
        """The packets that were on the wire; none where the size there is unknown (UDP)."""
        if len(raw) <= self.least and not _is_syn(raw):
            return [raw]
        packet = parse(raw)
        if packet is None or packet.fragment:
            return [raw]
        end = len(raw) if packet.end >= _LARGEST_LENGTH else packet.end
        if packet.protocol != TCP:
            return [raw] if end <= self._largest else []
        if packet.flags & SYN:
            self._learn(packet)
        most = self._segment.get(_ends(packet)) or self._largest
        options_size = (
            packet.payload_at - packet.transport_at - 20
        )  # the MSS leaves no room for them (RFC 6691)
        size = min(most - options_size, self._largest - packet.payload_at)
        if size < 1 or end - packet.payload_at <= size:
            return [_completed(packet)] if self._complete else [raw]
        return _cut(packet, end, size)

    def _learn(self, packet: Packet) -> None:
        """The MSS option of one end limits what the other sends."""
        option = options(packet).get(_MSS, b"")
        if len(option) == 2:
            most = max(int.from_bytes(option, "big"), _SMALLEST_MSS)
            self.least = min(self.least, most + 40)
            self._segment.put(_ends(packet, back=True), most)


def _is_syn(raw: bytes) -> bool:
    """Whether it may be: the flags are where they are without IP options or extension headers."""
    if raw[0] == 0x45:
        return raw[9] == TCP and len(raw) > 33 and bool(raw[33] & SYN)
    if raw[0] >> 4 == 6 and raw[6] == TCP:
        return len(raw) > 53 and bool(raw[53] & SYN)
    return True


def _ends(packet: Packet, *, back: bool = False) -> bytes:
    ends = [
        packet.source + packet.sport.to_bytes(2, "big"),
        packet.destination + packet.dport.to_bytes(2, "big"),
    ]
    return b"".join(reversed(ends) if back else ends)


def _cut(packet: Packet, end: int, size: int) -> list[bytes]:
    """The segments that a card makes of it: sequence numbers and IP-IDs count on, FIN and PSH are last."""
    raw, at, begin = packet.raw, packet.transport_at, packet.payload_at
    made = []
    for number, start in enumerate(range(begin, end, size)):
        stop = min(start + size, end)
        flags = packet.flags
        if stop < end:
            flags &= ~(FIN | PSH)
        if number:
            flags &= ~_CWR
        seq = (packet.seq + start - begin) & 0xFFFFFFFF
        header = bytearray(raw[at:begin])
        header[4:8], header[13] = seq.to_bytes(4, "big"), flags
        made.append(_packet(packet, header, raw[start:stop], number))
    return made


def _packet(packet: Packet, header: bytearray, payload: bytes, number: int) -> bytes:
    """The packet with another TCP header and payload, the `number`-th from it."""
    header[16:18] = b"\0\0"
    segment = bytes(header) + payload
    pseudo = pseudo_header(packet.source, packet.destination, TCP, len(segment))
    segment = segment[:16] + checksum(pseudo + segment).to_bytes(2, "big") + segment[18:]
    head = packet.raw[: packet.transport_at]
    if packet.version == 6:
        return head[:4] + (len(head) - 40 + len(segment)).to_bytes(2, "big") + head[6:] + segment
    ip_id = (packet.ip_id + number) & 0xFFFF
    head = head[:2] + (len(head) + len(segment)).to_bytes(2, "big") + ip_id.to_bytes(2, "big") + head[6:]
    return with_header_checksum(head) + segment


def _completed(packet: Packet) -> bytes:
    """The packet with a right checksum, if it has the sum that a card begins with: the pseudo-header's."""
    at = packet.transport_at
    pseudo = pseudo_header(packet.source, packet.destination, TCP, packet.end - at)
    if packet.raw[at + 16 : at + 18] != (~checksum(pseudo) & 0xFFFF).to_bytes(2, "big"):
        return packet.raw
    header = bytearray(packet.raw[at : packet.payload_at])
    return _packet(packet, header, packet.payload, 0)
