"""A kernel for where there is none: carries out what a core hands over, as the nft rule set does live.

Pure: packets and times come from outside. The obligations are those of `testbed.censor.handover`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.handover import Drop, Handover, Pass, Police, counter_name, passing_time
from testbed.censor.packet import ACK, FIN, RST, SYN, TCP, UDP, parse
from testbed.censor.policy import Policy

MOST_FLOWS: Final = 131_072  # handed over at a time; our choice: bounds memory
_PLAIN4: Final = 0x45  # version 4, a header without options
_FRAGMENT_HEADER: Final = 44

By = Literal["core", "pass", "drop", "police"]


class Outcome(NamedTuple):
    """What happens to one packet, and who decided: the core, or the kernel for a flow handed over."""

    decision: Decision
    by: By


class Decider(Protocol):
    """Decides about packets of flows that are not handed over: `testbed.censor.core.Censor`."""

    def process(self, raw: bytes, direction: Direction, now: float) -> Decision:
        """Decide about one packet."""
        ...


@dataclass(slots=True)
class TokenBucket:
    """Tokens of one direction of a flow or of an inside host, as net/netfilter/nft_limit.c keeps them.

    A bucket begins full, and a packet that finds too few tokens costs none.
    """

    rate: float  # bytes per second of the clock behind `now`
    size: float  # bytes
    filled: float  # bytes there at time `seen`
    seen: float

    def take(self, octets: int, now: float) -> bool:
        """Whether a packet of so many bytes may go on at time `now`; if so, its tokens are gone."""
        self.filled = min(self.size, self.filled + (now - self.seen) * self.rate)
        self.seen = now
        if octets > self.filled:
            return False
        self.filled -= octets
        return True


@dataclass(slots=True, eq=False)
class _Entry:
    """A flow that was handed over. One for both directions."""

    what: Handover
    rule: int  # meaningless for `Pass`
    until: float
    keys: tuple[bytes, bytes]


class SoftKernel:
    """One box: a core, and the flows it has handed over."""

    def __init__(
        self, core: Decider, policy: Policy, *, time_scale: float = 1.0, most_flows: int = MOST_FLOWS
    ) -> None:
        """`time_scale`: how many times faster than real time the clock behind `now` runs; rates are real."""
        self.core = core
        self.counted: Counter[str] = Counter()  # by `counter_name`
        self.full = 0  # handovers beyond the limit: those flows stayed with the core
        self._passing = passing_time(policy.profile)
        self._scale = time_scale
        self._most = most_flows
        self._flows: dict[bytes, _Entry] = {}  # by protocol, addresses and ports, as sent, each way
        self._buckets: dict[tuple[int, Direction, bytes], TokenBucket] = {}
        self._dropped = [Decision(Verdict.DROP, rule=rule) for rule in range(len(policy.rules))]

    def process(self, raw: bytes, direction: Direction, now: float) -> Outcome:
        """What becomes of one packet seen at time `now` (seconds, never going back)."""
        key = flow_key(raw)
        entry = self._flows.get(key) if key is not None else None
        if entry is not None:
            if now >= entry.until:
                self._forget(entry)
            elif (alone := self._alone(entry, raw, direction, now)) is not None:
                return alone
        decision = self.core.process(raw, direction, now)
        if decision is not PASS:
            self._count(decision)
            if decision.handover is not None and key is not None and not _fragmented(raw):
                self._add(key, decision.handover, decision.rule, now)
        return Outcome(decision, "core")

    def _alone(self, entry: _Entry, raw: bytes, direction: Direction, now: float) -> Outcome | None:
        """Decide without the core; None for what goes to the core after all."""
        what, rule = entry.what, entry.rule
        if isinstance(what, Pass):
            if _fragmented(raw):
                return None
            if _opens(raw, direction):
                self._forget(entry)
                return None
            return Outcome(PASS, "pass")
        if isinstance(what, Drop):
            if what.refresh:
                entry.until = now + what.timeout
            self.counted[counter_name("flow_drop", rule)] += 1
            return Outcome(self._dropped[rule], "drop")
        entry.until = now + what.idle
        limited = what.direction in ("both", direction.name.lower())
        if limited and not self._bucket(what, rule, raw, direction, now).take(_length(raw), now):
            self.counted[counter_name("policed_drop", rule)] += 1
            return Outcome(self._dropped[rule], "police")
        return None if _fragmented(raw) else Outcome(PASS, "police")

    def _bucket(self, what: Police, rule: int, raw: bytes, direction: Direction, now: float) -> TokenBucket:
        whose = flow_key(raw) if what.per == "flow" else _inside(raw, direction)
        assert whose is not None
        place = rule, direction, whose
        bucket = self._buckets.get(place)
        if bucket is None or now - bucket.seen >= what.idle:
            size = float(what.bucket_size)
            bucket = TokenBucket(what.octets_per_second / self._scale, size, size, now)
            self._buckets[place] = bucket
        return bucket

    def _count(self, decision: Decision) -> None:
        rule = decision.rule
        if rule is None:
            return
        for what, number in (
            ("drop", decision.verdict is Verdict.DROP),
            ("replace", decision.verdict is Verdict.REPLACE),
            ("inject", sum(not injection.released for injection in decision.inject)),
            ("delay", decision.release_at is not None),
            ("police", isinstance(decision.handover, Police)),
        ):
            if number:
                self.counted[counter_name(what, rule)] += number

    def _add(self, key: bytes, what: Handover, rule: int | None, now: float) -> None:
        if len(self._flows) >= 2 * self._most and not self._make_room(
            now, any_pass=not isinstance(what, Pass)
        ):
            self.full += 1
            return
        lasts = self._passing if isinstance(what, Pass) else what.timeout
        entry = _Entry(what, -1 if rule is None else rule, now + lasts, (key, _reverse(key)))
        for one in entry.keys:
            self._flows[one] = entry

    def _make_room(self, now: float, *, any_pass: bool) -> bool:
        """Forget what is over; if that is nothing, let one passed flow go back to the core if `any_pass`."""
        over = {id(entry): entry for entry in self._flows.values() if now >= entry.until}
        if not over and any_pass:
            passed = (entry for entry in self._flows.values() if isinstance(entry.what, Pass))
            over = {id(entry): entry for entry in [next(passed, None)] if entry is not None}
        for entry in over.values():
            self._forget(entry)
        held = max(
            (e.what.timeout for e in self._flows.values() if not isinstance(e.what, Pass)), default=0.0
        )
        self._buckets = {at: one for at, one in self._buckets.items() if now - one.seen < held}
        return bool(over)

    def _forget(self, entry: _Entry) -> None:
        for key in entry.keys:
            self._flows.pop(key, None)


def flow_key(raw: bytes) -> bytes | None:
    """Protocol, addresses and ports as sent; None for later fragments, and for neither TCP nor UDP."""
    if len(raw) < 24:
        return None
    if raw[0] == _PLAIN4:
        if raw[9] not in (TCP, UDP) or raw[6] & 0x1F or raw[7]:
            return None
        return raw[9:10] + raw[12:24]
    if raw[0] >> 4 == 6 and len(raw) >= 44 and raw[6] in (TCP, UDP):
        return raw[6:7] + raw[8:44]
    packet = parse(raw)
    if packet is None or packet.later or packet.protocol not in (TCP, UDP):
        return None
    ports = raw[packet.transport_at : packet.transport_at + 4]
    return packet.protocol.to_bytes(1, "big") + packet.source + packet.destination + ports


def _fragmented(raw: bytes) -> bool:
    """Whether it is a fragment, in IPv6 also one that is a whole packet (RFC 6946)."""
    if raw[0] >> 4 == 4:
        return bool(raw[6] & 0x3F or raw[7])
    following, at = raw[6], 40
    while following in (0, 43, 60):
        following, at = raw[at], at + 8 * (raw[at + 1] + 1)
    return following == _FRAGMENT_HEADER


def _reverse(key: bytes) -> bytes:
    """The other direction's."""
    half = (len(key) - 5) // 2
    source, destination, ports = key[1 : 1 + half], key[1 + half : 1 + 2 * half], key[1 + 2 * half :]
    return key[:1] + destination + source + ports[2:] + ports[:2]


def _opens(raw: bytes, direction: Direction) -> bool:
    """Whether the inside host opens the 4-tuple again."""
    if direction is not Direction.UP:
        return False
    if raw[0] == _PLAIN4 and len(raw) >= 40:
        return raw[9] == TCP and raw[33] & (FIN | SYN | RST | ACK) == SYN
    packet = parse(raw)
    return packet is not None and packet.protocol == TCP and packet.flags & (FIN | SYN | RST | ACK) == SYN


def _inside(raw: bytes, direction: Direction) -> bytes:
    """The inside host's address."""
    first, size = (12, 4) if raw[0] >> 4 == 4 else (8, 16)
    at = first if direction is Direction.UP else first + size
    return raw[at : at + size]


def _length(raw: bytes) -> int:
    """Bytes of the IP packet; what follows is link padding."""
    return int.from_bytes(raw[2:4], "big") if raw[0] >> 4 == 4 else int.from_bytes(raw[4:6], "big") + 40
