"""The loop: frames in, decisions of the core out to the observers."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, Protocol

from testbed.capture import link
from testbed.capture.source import Record
from testbed.censor.core import Censor
from testbed.censor.decision import PASS, Decision, Direction
from testbed.censor.flow import FlowKey
from testbed.censor.models import MODELS
from testbed.censor.packet import SYN, TCP, parse
from testbed.censor.policy import Policy
from testbed.censor.softkernel import Outcome, SoftKernel
from testbed.replay.effects import Effect, effects
from testbed.replay.ippacket import ip_packet
from testbed.replay.sides import DirectionFinder, Sides, inferred_sides
from testbed.replay.superpackets import LARGEST_WIRE, WireSize
from testbed.replay.totals import Totals

LOOK_AHEAD: Final = 4096  # packets read ahead to infer who is inside; our choice
_IPV4: Final = b"\x08\x00"
_PLAIN: Final = b"\x45"  # version 4, a header without options
_NOT_JUDGED: Final = Outcome(PASS, "pass")


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet of the capture as the box sees it."""

    number: int  # from 1, as in Wireshark
    time: int  # ns since 1970, never before an earlier packet's
    link: int
    data: bytes
    at: int  # where the IP packet begins; -1: there is none
    wire: int  # length on the wire
    direction: Direction | None  # None: it does not cross the box

    @property
    def ip(self) -> bytes:
        """The IP packet, with the frame's padding if it has any."""
        return self.data[self.at :]

    def with_packet(self, packet: bytes) -> "Frame":
        """The frame around another packet."""
        data = link.framed(self.link, self.data[: self.at], packet, reply=False)
        return replace(self, data=data, wire=len(data))

    @property
    def flow(self) -> str:
        """As events name it; "" where nothing can be read."""
        packet = parse(self.ip) if self.at >= 0 else None
        if packet is None:
            return ""
        near = (packet.source, packet.sport), (packet.destination, packet.dport)
        inside, outside = near if self.direction is not Direction.DOWN else near[::-1]
        return str(FlowKey(*inside, *outside, packet.protocol))


class Observer(Protocol):
    """Called with packets, in their order."""

    def packet(self, frame: Frame, decision: Decision, found: tuple[Effect, ...], now: float) -> None:
        """One packet: what the core decided at its time `now` (s since the first), and what it did."""
        ...


class Replay:
    """One capture through one box."""

    def __init__(
        self, policy: Policy, seed: int, sides: Sides | None = None, largest: int = LARGEST_WIRE
    ) -> None:
        """`sides`: who is inside; None infers it from the first packets. `largest`: bytes of an IP packet."""
        self.totals = Totals()
        self.sides = sides
        self.censor = Censor(policy, seed)
        self._box = SoftKernel(self.censor, policy)
        self._policy = policy
        checked = any(MODELS[model].checks for model, _ in policy.profile.models.value)
        self._wire = WireSize(largest, complete_checksums=checked)
        self._finders: dict[int, link.OffsetFinder] = {}
        self._known_links = {link.ETHERNET}

    def run(self, records: Iterable[Record], busy: list[Observer], every: list[Observer]) -> None:
        """Replay. The `busy` observers get the affected packets, the `every` observers all.

        A super-packet is one packet of the capture and several frames, with the same number.
        """
        totals, judge, sizes = self.totals, self._judge, self._wire
        pieces: Sequence[bytes]
        records, sides = self._oriented(records)
        self._direction = DirectionFinder(sides).direction
        for number, (stamp, kind, data, wire) in enumerate(records, 1):
            if stamp < totals.last or stamp < 0:
                stamp = totals.clamped(stamp)  # noqa: PLW2901
            elif totals.first < 0:
                totals.first = stamp
            totals.last, totals.packets = stamp, number
            now = (stamp - totals.first) / 1e9 if totals.first >= 0 else 0.0
            plain = kind == link.ETHERNET and data[12:14] == _IPV4
            at = 14 if plain else self._finder(kind)(data)
            raw, reason = data[at:], ""
            if (
                plain
                and raw[:1] == _PLAIN
                and len(raw) >= 40
                and raw[2] << 8 | raw[3] == len(raw) <= sizes.least
            ):
                pieces = (raw,) if raw[9] != TCP or not raw[33] & SYN else sizes.pieces(raw)  # most packets
            else:
                raw, reason = ip_packet(data, at, wire)
                pieces = () if reason else sizes.pieces(raw)
            if not pieces:
                self._set_aside(reason or "unknown_size", kind)
                if every:
                    frame = Frame(number, stamp, kind, data, at, wire, None)
                    self._report(frame, _NOT_JUDGED, now, busy, every)
                continue
            if len(pieces) > 1:
                totals.super_packets += 1
                totals.pieces += len(pieces)
            for piece in pieces:
                direction, outcome = judge(piece, now)
                if outcome.decision is not PASS or every:
                    frame = Frame(number, stamp, kind, data, at, wire, direction)
                    frame = frame if data.startswith(piece, at) else frame.with_packet(piece)
                    self._report(frame, outcome, now, busy, every)

    @property
    def evictions(self) -> int:
        """Flows and fragmented packets evicted because a table was full."""
        return self.censor.evictions + self._box.full

    def _judge(self, raw: bytes, now: float) -> tuple[Direction | None, Outcome]:
        """The packet's direction, and what the box does with it."""
        direction = self._direction(raw)
        if direction is None:
            self.totals.aside["beside"] += 1
            return None, _NOT_JUDGED
        self.totals.judged += 1
        return direction, self._box.process(raw, direction, now)

    def _set_aside(self, reason: str, kind: int) -> None:
        if reason == "not_ip" and kind not in self._known_links:
            reason = "foreign"
            self.totals.foreign[kind] += 1
        self.totals.aside[reason] += 1

    def _report(
        self,
        frame: Frame,
        outcome: Outcome,
        now: float,
        busy: list[Observer],
        every: list[Observer],
    ) -> None:
        found = effects(outcome, self._policy, now)
        if found:
            self.totals.add(frame.flow, found)
        for observer in chain(busy if found else (), every):
            observer.packet(frame, outcome.decision, found, now)

    def _finder(self, kind: int) -> link.OffsetFinder:
        known = self._finders.get(kind)
        if known is None:
            known = link.offset_finder(kind)
            if known is None:
                known = _no_ip
            else:
                self._known_links.add(kind)
            self._finders[kind] = known
        return known

    def _oriented(self, records: Iterable[Record]) -> tuple[Iterator[Record], Sides]:
        """The records and who is inside, which may have to be inferred from the first records."""
        following = iter(records)
        if self.sides is None:
            ahead = deque(islice(following, LOOK_AHEAD))
            found = (ip_packet(data, self._finder(kind)(data), wire) for _, kind, data, wire in ahead)
            self.sides = inferred_sides(raw for raw, reason in found if not reason)
            following = chain(_drained(ahead), following)
        return following, self.sides


def _drained(ahead: deque[Record]) -> Iterator[Record]:
    while ahead:
        yield ahead.popleft()


def _no_ip(_frame: bytes) -> int:
    return -1
