"""IP fragments: buffered until complete, forwarded individually, never reassembled (CP22 Fig. 8)."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.packet import Packet
from testbed.censor.wire import with_hop_limit

MAX_QUEUES: Final = 4096  # fragmented packets at a time; our choice: bounds memory


@dataclass(frozen=True, slots=True)
class FragmentForm:
    """How a box treats fragments."""

    most: int = 45  # fragments of one packet; CP22: 45 pass, 46 do not
    timeout: float = 5.0  # s until an incomplete packet is discarded; IMC22, from memory


@dataclass(slots=True)
class _Queue:
    begun: float
    pieces: list[Packet] = field(default_factory=list)
    covered: list[tuple[int, int]] = field(default_factory=list)  # byte ranges, half-open
    total: int | None = None  # known from the last fragment
    poisoned: bool = False  # a duplicate, an overlap, or too many: everything is dropped until it times out


class Fragments:
    """The queues of one box. Drops and evictions are counted."""

    def __init__(self, form: FragmentForm, limit: int = MAX_QUEUES) -> None:
        self._form, self._limit = form, limit
        self._queues: OrderedDict[tuple[bytes, bytes, int, int], _Queue] = OrderedDict()
        self.discarded = 0  # fragments dropped for good
        self.evictions = 0  # fragmented packets evicted because the table was full

    def process(self, packet: Packet, direction: Direction, now: float) -> Decision:
        """Buffer the fragment, or forward all of its packet's fragments with the first one's hop limit."""
        self._forget(now)
        queue = self._queue_of(packet, now)
        begin, end, last = extent(packet)
        queue.pieces.append(packet)
        if queue.poisoned or len(queue.pieces) > self._form.most or _overlaps(queue.covered, begin, end):
            self.discarded += len(queue.pieces)
            queue.poisoned, queue.pieces = True, []
            return _HELD
        queue.covered.append((begin, end))
        if last:
            queue.total = end
        if queue.total is None or _bytes_before(queue.total, queue.covered) < queue.total:
            return _HELD
        del self._queues[_key(packet)]
        first = next(piece for piece in queue.pieces if extent(piece)[0] == 0)
        earlier = [with_hop_limit(piece, first.hop_limit) for piece in queue.pieces[:-1]]
        own = with_hop_limit(packet, first.hop_limit)
        inject = tuple(Injection(raw, direction) for raw in earlier)
        if own == packet.raw[: packet.end]:
            return Decision(inject=inject) if inject else PASS
        return Decision(Verdict.REPLACE, own, inject=inject)

    def _queue_of(self, packet: Packet, now: float) -> _Queue:
        key = _key(packet)
        if key not in self._queues:
            if len(self._queues) >= self._limit:
                self.discarded += len(self._queues.popitem(last=False)[1].pieces)
                self.evictions += 1
            self._queues[key] = _Queue(now)
        return self._queues[key]

    def _forget(self, now: float) -> None:
        while self._queues:
            queue = next(iter(self._queues.values()))
            if now - queue.begun < self._form.timeout:
                return
            self._queues.popitem(last=False)
            self.discarded += len(queue.pieces)


_HELD: Final = Decision(Verdict.DROP)


def _key(packet: Packet) -> tuple[bytes, bytes, int, int]:
    return packet.source, packet.destination, packet.ip_id, packet.protocol


def _bytes_before(end: int, covered: list[tuple[int, int]]) -> int:
    """How many bytes of the packet are there; what lies beyond its end (a liar's) is none of it."""
    return sum(min(b, end) - min(a, end) for a, b in covered)


def _overlaps(covered: list[tuple[int, int]], begin: int, end: int) -> bool:
    return any(begin < other_end and other_begin < end for other_begin, other_end in covered)


def extent(packet: Packet) -> tuple[int, int, bool]:
    """Where a fragment's payload lies in its packet (bytes, half-open), and whether it is the last."""
    if packet.version == 4:
        word = int.from_bytes(packet.raw[6:8], "big")
        begin, more = (word & 0x1FFF) * 8, bool(word & 0x2000)
    else:  # the fragment header stands right before what it carries
        word = int.from_bytes(packet.raw[packet.transport_at - 6 : packet.transport_at - 4], "big")
        begin, more = word & 0xFFF8, bool(word & 1)
    return begin, begin + packet.end - packet.transport_at, not more
