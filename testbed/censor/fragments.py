"""IP fragments: the first one of a packet decides for all; none is looked into.

A box that buffers holds them until the packet is complete, then forwards them individually, never
reassembled (CP22 Fig. 8). One that does not forwards them as they come, and drops those that follow a
dropped one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

from testbed.censor.bounded import Bounded
from testbed.censor.decision import PASS, Decision, Direction, Injection, Verdict
from testbed.censor.packet import TCP, Packet, parse
from testbed.censor.units import Between
from testbed.censor.wire import with_hop_limit, without_fragment

_TCP_HEADER: Final = 20  # bytes without options
MAX_QUEUES: Final = 4096  # fragmented packets at a time; our choice: bounds memory

Judge = Callable[[Packet, Direction, float], Decision]
_Key = tuple[bytes, bytes, int, int]


_Wait = Annotated[float, Between(0, 86400)]


@dataclass(frozen=True, slots=True)
class FragmentForm:
    """How a box buffers fragments."""

    most: Annotated[int, Between(1, 8192)] = 45  # fragments of one packet; CP22: 45 pass, 46 do not
    timeout: _Wait = 5.0  # s until an incomplete packet is discarded; IMC22, from memory


@dataclass(slots=True)
class _Queue:
    begun: float
    pieces: list[Packet] = field(default_factory=list)
    covered: list[tuple[int, int]] = field(default_factory=list)  # byte ranges, half-open
    total: int | None = None  # known from the last fragment
    poisoned: bool = False  # a duplicate, an overlap, or too many: everything is dropped until it times out


class Fragments:
    """The fragmented packets of one box. Drops and evictions are counted."""

    def __init__(self, form: FragmentForm | None, judge: Judge, limit: int = MAX_QUEUES) -> None:
        """`judge` decides about a packet's first fragment; without a form nothing is buffered."""
        self._form, self._judge, self._limit = form, judge, limit
        self._queues: OrderedDict[_Key, _Queue] = OrderedDict()
        self._dropped: Bounded[_Key, Decision] = Bounded(limit)  # what becomes of the fragments that follow
        self.discarded = 0  # fragments dropped for good, on no rule's behalf
        self.evictions = 0  # fragmented packets evicted because the table was full

    def process(self, packet: Packet, direction: Direction, now: float) -> Decision:
        """Decide about one fragment, and about those that waited for it."""
        if self._form is None:
            return self._follow(packet, direction, now)
        self._forget(self._form, now)
        queue = self._queue_of(packet, now)
        begin, end, last = extent(packet)
        queue.pieces.append(packet)
        wrong = begin == end or _overlaps(queue.covered, begin, end)
        if wrong or queue.poisoned or len(queue.pieces) > self._form.most:
            self.discarded += len(queue.pieces)
            queue.poisoned, queue.pieces = True, []
            return _HELD
        queue.covered.append((begin, end))
        if last:
            queue.total = end
        if queue.total is None or _bytes_before(queue.total, queue.covered) < queue.total:
            return _HELD
        del self._queues[_key(packet)]
        return self._released(queue.pieces, direction, now)

    def _released(self, pieces: list[Packet], direction: Direction, now: float) -> Decision:
        """Forward all with the first one's hop limit, unless something else is to become of the packet."""
        first = next(piece for piece in pieces if not piece.later)
        decision = _by_itself(self._judge(_with_header(first), direction, now))
        if decision.verdict is not Verdict.PASS:
            return decision
        *earlier, packet = pieces
        waited = (with_hop_limit(piece, first.hop_limit) for piece in earlier)
        inject = (*(Injection(raw, direction, released=True) for raw in waited), *decision.inject)
        own = with_hop_limit(packet, first.hop_limit)
        if own != packet.raw[: packet.end]:
            return replace(decision, verdict=Verdict.REPLACE, packet=own, inject=inject)
        return replace(decision, inject=inject) if inject else decision

    def _follow(self, packet: Packet, direction: Direction, now: float) -> Decision:
        """Decide about a first fragment; later ones share its fate.

        Those that overtake it pass: without it they are of no use.
        """
        key = _key(packet)
        if packet.later:
            return self._dropped.get(key) or PASS
        decision = _by_itself(self._judge(_with_header(packet), direction, now))
        if decision.verdict is not Verdict.PASS:
            self._dropped.put(key, Decision(Verdict.DROP, rule=decision.rule, flow=decision.flow))
        else:
            self._dropped.pop(key)
        return decision

    def _queue_of(self, packet: Packet, now: float) -> _Queue:
        key = _key(packet)
        if key not in self._queues:
            if len(self._queues) >= self._limit:
                self.discarded += len(self._queues.popitem(last=False)[1].pieces)
                self.evictions += 1
            self._queues[key] = _Queue(now)
        return self._queues[key]

    def _forget(self, form: FragmentForm, now: float) -> None:
        while self._queues:
            queue = next(iter(self._queues.values()))
            if now - queue.begun < form.timeout:
                return
            self._queues.popitem(last=False)
            self.discarded += len(queue.pieces)


_HELD: Final = Decision(Verdict.DROP)


def _with_header(first: Packet) -> Packet:
    """A packet's first fragment; one that is cut within its TCP header, with zeros for what is missing."""
    at, missing = first.transport_at, first.transport_at + _TCP_HEADER - first.end
    if first.protocol != TCP or missing <= 0:
        return first
    raw = bytearray(first.raw[: first.end] + bytes(missing))
    raw[at + 12] = _TCP_HEADER // 4 << 4
    whole, seq = at + _TCP_HEADER, int.from_bytes(raw[at + 4 : at + 8], "big")
    return replace(first, raw=bytes(raw), end=whole, payload_at=whole, seq=seq)


def _by_itself(decision: Decision) -> Decision:
    """A decision about a packet's first fragment that needs no kernel, and whose replacement is a packet."""
    if decision.verdict is Verdict.REPLACE and decision.packet is not None:
        replacement = parse(decision.packet)
        if replacement is not None and replacement.fragment and not replacement.has_payload:
            return replace(decision, packet=without_fragment(replacement), handover=None)
    if decision.handover is None:
        return decision
    acts = decision.verdict is not Verdict.PASS or decision.inject or decision.release_at is not None
    owner = (decision.rule, decision.flow) if acts else (None, None)
    return replace(decision, handover=None, rule=owner[0], flow=owner[1])


def _key(packet: Packet) -> _Key:
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
