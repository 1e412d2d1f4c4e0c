"""One end of a TCP connection, as far as a censor and its victim can tell (RFC 9293)."""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from testbed.censor.packet import ACK, FIN, PSH, RST, SYN, TCP, Packet
from testbed.censor.wire import Endpoints, IpForm, ip, pseudo_header
from testbed.dryrun.agenda import Agenda
from testbed.dryrun.outbox import Outbox

MSS4, MSS6 = 1460, 1440  # of an Ethernet path
_WINDOW: Final = 65535
_HEAD: Final = struct.Struct("!HHIIBBH")  # up to the window
_SUM: Final = struct.Struct("!HH")  # checksum, urgent pointer
_FORM: Final = IpForm(dont_fragment=True)
_NO_ID: Final = b"\0\0\x40\0\x40\x06"  # of an IPv4 header: identification, "don't fragment", 64 hops, TCP
_STAMPS: Final = b"\1\1\x08\x0a" + bytes(8)  # the timestamp option, on every segment as Linux sends it
_SYN_OPTIONS: Final = b"\4\2\x08\x0a" + bytes(8) + b"\1\3\3\0"  # after the MSS: SACK permitted, stamps, scale
_SYN_TRIES: Final = 6  # Linux: 1, 2, 4 … s
_QUICK: Final = 16  # segments that are acknowledged at once; later ones two by two
_DELAYED: Final = 0.04  # seconds that an acknowledgement may wait

_Send = Callable[[bytes], None]


def segment(
    ends: Endpoints,
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    window: int = _WINDOW,
    mss: int = 0,
) -> bytes:
    """A TCP segment with the options that Linux sends; `mss` for SYNs."""
    options = struct.pack("!BBH", 2, 4, mss) + _SYN_OPTIONS if mss else _STAMPS
    offset = (20 + len(options)) // 4 << 4
    head = _HEAD.pack(ends[2], ends[3], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window)
    rest = options + payload
    size = 20 + len(rest)
    before, after, own, covered = _around(ends[0], ends[1])
    # The sum of all words modulo 0xFFFF (RFC 1071), of the parts apart; every part but the last is even.
    total = (covered + size + int.from_bytes(head) + int.from_bytes(rest + b"\0" * (size % 2))) % 0xFFFF
    made = head + _SUM.pack(0xFFFF - (total or 0xFFFF), 0) + rest
    if len(ends[0]) == 16:
        return before + size.to_bytes(2, "big") + after + made
    size += 20
    header = 0xFFFF - ((own + size) % 0xFFFF or 0xFFFF)
    return before + size.to_bytes(2, "big") + _NO_ID + header.to_bytes(2, "big") + after + made


@lru_cache(256)
def _around(source: bytes, destination: bytes) -> tuple[bytes, bytes, int, int]:
    """Of the IP headers between two hosts: what precedes the length, and what follows it or the header's sum.

    Then the sums of header and pseudo-header without a length.
    """
    made = ip(source, destination, TCP, b"", _FORM)
    covered = int.from_bytes(pseudo_header(source, destination, TCP, 0))
    if len(source) == 16:
        return made[:4], made[6:], 0, covered
    return made[:2], made[12:], int.from_bytes(made[:2] + b"\0\0" + made[4:10] + b"\0\0" + made[12:]), covered


class TcpPeer:
    """A connection. The client opens it; a server is made for a SYN that came.

    `open` and `ended` say where it is; `failure` is an errno-like word: "reset", "refused", "unreachable".
    """

    def __init__(
        self, agenda: Agenda, send: _Send, ends: Endpoints, start: int, *, window: int = _WINDOW, mss: int = 0
    ) -> None:
        """`start`: the initial sequence number. `mss`: the largest segment that it takes."""
        self.ends, self.open, self.ended, self.failure = ends, False, False, ""
        self.error = 0  # errno of an "unreachable"
        self.received = bytearray()
        self.total = 0  # bytes that came in order, in all
        self.segments_in = 0
        self.on_data: Callable[[], None] = lambda: None
        self.on_open: Callable[[], None] = lambda: None  # a server's: the handshake is complete
        self._agenda, self._send, self._start = agenda, send, start
        self._window, self._mss = window, mss or (MSS4 if len(ends.source) == 4 else MSS6)
        self._outbox = Outbox(agenda, self._transmit, self._mss - len(_STAMPS))
        self._expected = 0  # the sequence number that is to come next
        self._early: dict[int, bytes] = {}
        self._fin_at: int | None = None  # sequence number of the peer's FIN
        self._fin_sent = False
        self._served = False  # it is a server's end
        self._unacked = 0  # segments that came and were not acknowledged
        self._quick = _QUICK

    # -- the application's side

    def connect(self) -> None:
        """_Send SYNs until an answer comes."""
        self._try_syn(0)

    def accept(self, syn: Packet, mss: int) -> None:
        """DryAnswer a SYN; `mss` is what it announced."""
        self._served = True
        self._expected = syn.seq + 1
        self._take_mss(mss)
        self._outbox.limit = syn.window
        self._syn_ack(0)

    def put(self, data: bytes) -> None:
        """_Send these bytes."""
        self._outbox.put(data)

    def take(self) -> bytes:
        """What has come."""
        data = bytes(self.received)
        self.received.clear()
        return data

    def finish(self) -> None:
        """Close after what was put; the FIN is sent once all of it is acknowledged."""
        self._fin_sent = True
        self._push_fin()

    def abort(self) -> None:
        """Reset it."""
        seq = self._start + 1 + self._outbox.sent
        self._send(segment(self.ends, seq, self._expected, RST | ACK, window=0))
        self.drop()

    def drop(self) -> None:
        """Forget the connection."""
        self._outbox.close()
        self.failure = self.failure or "closed"

    @property
    def acknowledged(self) -> int:
        """Bytes of ours that the peer has."""
        return self._outbox.done

    # -- the network's side

    def receive(self, packet: Packet) -> None:
        """A segment of this connection."""
        if self.failure:
            return
        self.segments_in += 1
        if packet.flags & RST:
            self._reset_by(packet)
        elif not self.open:
            self._opening(packet)
        else:
            self._established(packet)

    def unreachable(self, number: int) -> None:
        """An ICMP error about it, as an errno: final while the connection opens, noted and ignored later."""
        if not self.open:
            self.error = number
            self._fail("unreachable")

    def _reset_by(self, packet: Packet) -> None:
        if not self.open:
            if packet.flags & ACK and packet.ack == (self._start + 1) & 0xFFFFFFFF:
                self._fail("refused")
        elif packet.seq == self._expected & 0xFFFFFFFF:  # RFC 5961: any other is challenged
            self._fail("reset")

    def _opening(self, packet: Packet) -> None:
        if packet.flags & SYN and packet.flags & ACK:
            if packet.ack != (self._start + 1) & 0xFFFFFFFF:
                return
            self._expected = packet.seq + 1
            self._take_mss(announced_mss(packet))
            self._outbox.limit = packet.window
            self.open = True
            self._ack()
            self.on_data()
        elif packet.flags & SYN:
            self._syn_ack(_SYN_TRIES)  # again: ours was lost
        elif self._served and packet.flags & ACK and packet.ack == (self._start + 1) & 0xFFFFFFFF:
            self.open = True
            self.on_open()
            if not self.failure:
                self._established(packet)

    def _established(self, packet: Packet) -> None:
        if packet.flags & SYN:
            self._ack()
            return
        if packet.flags & ACK:
            self._outbox.limit = packet.window
            offset = (packet.ack - self._start - 1) & 0xFFFFFFFF
            if offset <= self._outbox.end + 1:
                plain = not packet.has_payload and not packet.flags & FIN
                self._outbox.acknowledge(min(offset, self._outbox.end), duplicate=plain)
                self._push_fin()
        if packet.has_payload or packet.flags & FIN:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        data, seq = packet.payload, packet.seq
        ahead = (seq - self._expected) & 0xFFFFFFFF
        if ahead >= 1 << 31:  # it begins with what came before
            data = data[(1 << 32) - ahead :]
            ahead = 0
        if data:
            self._early.setdefault(self._expected + ahead, data)
        if packet.flags & FIN:
            self._fin_at = self._expected + ahead + len(data)
        in_order, news = ahead == 0 and bool(data), False
        while (piece := self._early.pop(self._expected, None)) is not None:
            self.received += piece
            self.total += len(piece)
            self._expected += len(piece)
            news = True
        if self._fin_at == self._expected and not self.ended:
            self.ended = news = True
            self._expected += 1
        self._acknowledge(at_once=not in_order or self.ended or bool(self._early))
        if news:
            self.on_data()

    def _acknowledge(self, *, at_once: bool) -> None:
        self._unacked += 1
        self._quick -= 1
        if at_once or self._quick >= 0 or self._unacked >= 2:
            self._ack()
        else:
            waiting = self._unacked
            self._agenda.after(_DELAYED, lambda: self._ack_late(waiting))

    def _ack_late(self, waiting: int) -> None:
        if self._unacked == waiting:
            self._ack()

    # -- what is sent

    def _fail(self, why: str) -> None:
        self.failure = why
        self._outbox.close()
        self.on_data()

    def _try_syn(self, number: int) -> None:
        if self.open or self.failure or number > _SYN_TRIES:
            return
        self._send(segment(self.ends, self._start, 0, SYN, window=self._window, mss=self._mss))
        self._agenda.after(2.0**number, lambda: self._try_syn(number + 1))

    def _syn_ack(self, number: int) -> None:
        if self.open or self.failure:
            return
        both = SYN | ACK
        self._send(segment(self.ends, self._start, self._expected, both, window=self._window, mss=self._mss))
        if number < _SYN_TRIES:
            self._agenda.after(2.0**number, lambda: self._syn_ack(number + 1))

    def _transmit(self, offset: int, data: bytes) -> None:
        self._unacked = 0
        seq = self._start + 1 + offset
        self._send(segment(self.ends, seq, self._expected, PSH | ACK, data, window=self._window))

    def _ack(self) -> None:
        self._unacked = 0
        seq = self._start + 1 + self._outbox.sent
        self._send(segment(self.ends, seq, self._expected, ACK, window=self._window))

    def _push_fin(self) -> None:
        if self._fin_sent and self._outbox.done == self._outbox.end and not self.failure:
            seq = self._start + 1 + self._outbox.end
            self._send(segment(self.ends, seq, self._expected, FIN | ACK, window=self._window))

    def _take_mss(self, announced: int) -> None:
        if announced:
            self._outbox.segment = max(min(self._outbox.segment, announced - len(_STAMPS)), 1)


def announced_mss(packet: Packet) -> int:
    """The MSS option of a SYN, 0 without one."""
    at, end = packet.transport_at + 20, packet.payload_at
    while at + 1 < end:
        kind = packet.raw[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if kind == 2:
            return int.from_bytes(packet.raw[at + 2 : at + 4], "big")
        at += max(packet.raw[at + 1], 2)
    return 0
