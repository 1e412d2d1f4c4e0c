"""The life of a flow in a box, as one table.

A box keeps two things about each 4-tuple. The *stage* says who has been heard from, and with it how long
the flow is remembered when nothing more comes (IMC22 Table 2). The *care* says what happens to its packets.

Roles follow the last SYN, and FIN and RST clear nothing (CP22 Fig. 7): a connection that its ends have closed
stays what it was to the box until it is idle. So there is no closed state, and no way to an earlier stage.

    stage         heard from     forgotten after            event
    OPENING       the client     profile.idle_opening       OTHER_END  -> ANSWERED
    ANSWERED      both           profile.idle_answered      CLIENT     -> ESTABLISHED
    ESTABLISHED   both, twice    profile.idle_established

    care          the box                                   event
    INSPECTED     reads payloads, within a budget           MATCH -> HELD, NOTHING_LEFT -> IGNORED
    HELD          lets one rule decide                      HOLD_ENDS -> INSPECTED
    IGNORED       has given up; the kernel may pass it      SYN_INSIDE -> INSPECTED, MATCH -> HELD

A flow that is idle for too long is forgotten, or *expired*, and its next packet opens a new one. Unless that
is a SYN, or the profile picks flows up midway, the new one is not read. A hold outlives silence up to its own
time. `CARES` below is the second table, and `Flow.event` refuses the rest.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from testbed.censor.bounded import Bounded
from testbed.censor.decision import UP, Direction
from testbed.censor.history import History
from testbed.censor.learned import LearnedLists
from testbed.censor.models import Model
from testbed.censor.packet import ACK, SYN, TCP, Packet
from testbed.censor.profile import Profile
from testbed.censor.segments import FlowFacts, Judged
from testbed.censor.stream import Stream
from testbed.censor.unread import Watch

if TYPE_CHECKING:
    from testbed.censor.hold import Hold
    from testbed.censor.inspect import Content
    from testbed.censor.parsers.quic import InitialReader

MAX_FLOWS: Final = 65_536  # our choice: bounds memory; evictions are counted and reported
_MAX_ALIASES: Final = 4096  # diverted flows of one inside host; our choice

OPENING, ANSWERED, ESTABLISHED = range(3)  # stages, in the order in which a flow reaches them


class Care(Enum):
    """What the box does with a flow."""

    INSPECTED = "inspected"
    HELD = "held"
    IGNORED = "ignored"

    __hash__ = object.__hash__  # one object each; the one of Enum is slow, and the table is asked per packet


class FlowEvent(Enum):
    """What changes that."""

    MATCH = "a rule matches"
    HOLD_ENDS = "the rule's time is over"
    NOTHING_LEFT = "no later packet can show anything"
    SYN_INSIDE = "the inside host opens the 4-tuple again"

    __hash__ = object.__hash__


CARES: Final = {
    (Care.INSPECTED, FlowEvent.MATCH): Care.HELD,
    (Care.INSPECTED, FlowEvent.NOTHING_LEFT): Care.IGNORED,
    (Care.INSPECTED, FlowEvent.SYN_INSIDE): Care.INSPECTED,
    (Care.HELD, FlowEvent.HOLD_ENDS): Care.INSPECTED,
    (Care.HELD, FlowEvent.SYN_INSIDE): Care.HELD,
    (Care.IGNORED, FlowEvent.MATCH): Care.HELD,
    (Care.IGNORED, FlowEvent.NOTHING_LEFT): Care.IGNORED,
    (Care.IGNORED, FlowEvent.SYN_INSIDE): Care.INSPECTED,
}


_ALL: Final = 1 << 32  # sequence numbers
_OPENS: Final = SYN | ACK  # of these flags an opening segment has the first alone


class FlowKey(NamedTuple):
    """A 4-tuple and its protocol, oriented: the inside host first."""

    inside: bytes
    inside_port: int
    outside: bytes
    outside_port: int
    protocol: int

    def __str__(self) -> str:
        """As events show it: "tcp 10.0.0.2:40000 > 104.244.42.1:443"."""
        protocol = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6"}.get(self.protocol, str(self.protocol))
        near, far = _host(self.inside), _host(self.outside)
        return f"{protocol} {near}:{self.inside_port} > {far}:{self.outside_port}"


def _host(address: bytes) -> str:
    text = str(ip_address(address))
    return f"[{text}]" if ":" in text else text


H = TypeVar("H")


@dataclass(slots=True)
class InsideHost:
    """What the flows of one inside host share."""

    aliases: Bounded[FlowKey, FlowKey] = field(default_factory=lambda: Bounded(_MAX_ALIASES))
    """Flows by the 4-tuple on which their diverted packets come back (see the action `divert`)."""
    _by_rule: dict[int, Any] = field(default_factory=dict)

    def state_of(self, rule: int, make: Callable[[], H]) -> H:
        """What a rule remembers of this host over its flows; made by `make` the first time.

        A rule has one action, which MUST always make the same type.
        """
        if rule not in self._by_rule:
            self._by_rule[rule] = make()
        found: H = self._by_rule[rule]
        return found


@dataclass(slots=True)
class Inspection:
    """How far reading a flow has come."""

    budget: int | None = None  # payload packets still read; None until something was recognised
    stream: Stream | None = None  # the client's direction put together, for models that reassemble
    initial: "InitialReader | None" = None  # a QUIC ClientHello of which more is to come
    decided: bool = False  # a ClientHello has been read, and only the server's certificate may still count
    answers: int = 0  # the server's segments in which a certificate was looked for
    judged_up: Judged | None = None  # what the client has shown to a model that reads segment by segment
    judged_down: Judged | None = None  # what the server has shown
    begun: bool = False  # the client's first data have been looked at
    watch: Watch | None = None  # of a beginning that the box does not read whole, for the report alone
    shown: "dict[int, Content] | None" = None  # by rule: what it looks for, where its history is undecided

    def judge(self, packet: Packet, direction: Direction) -> None:
        """The segment has been read, and is not read again."""
        if direction is UP:
            self.judged_up = self.judged_up or Judged()
            self.judged_up.add(packet)
        else:
            self.judged_down = self.judged_down or Judged()
            self.judged_down.add(packet)

    def was_judged(self, packet: Packet, direction: Direction) -> bool:
        """Whether the segment begins with a byte that has been read."""
        judged = self.judged_up if direction is UP else self.judged_down
        return judged is not None and judged.begins(packet)

    def forget_judged(self) -> None:
        """Read what is sent again, too."""
        self.judged_up = self.judged_down = None


@dataclass(slots=True, eq=False)
class Flow:
    """What the box remembers about one 4-tuple."""

    key: FlowKey
    client: Direction  # UP: the inside host opened it, or sent the last SYN
    seen: float  # time of the last packet
    ordinal: int  # the flow's number among those between these hosts and to this port, from 0
    opener: Direction  # who sent the first packet
    midway: bool  # its beginning was not seen, and the profile does not inspect such flows
    host: InsideHost
    lists: LearnedLists
    port: int  # the server's: the far host's, or the inside host's if the outside opened the flow
    asks: Direction  # where the client's data go: DOWN to a server at the inside host
    stage: int = OPENING
    exempt_by: int | None = None  # the rule that left it alone: those below it take it no more
    care: Care = Care.INSPECTED
    hold: "Hold[Any] | None" = None
    reading: bool = True  # later payloads are read; a held flow's too, where its action says so
    inspection: Inspection = field(default_factory=Inspection)
    model: Model | None = None  # how this flow is read; chosen per pair of hosts
    facts: FlowFacts | None = None  # for models that check segments
    past: History | None = None  # kept only if a rule needs it
    first: int | None = None  # sequence number of the client's first byte; None if its SYN was not seen

    @property
    def history(self) -> History:
        """What its first packets were, since the inside host opened the 4-tuple last."""
        if self.past is None:
            self.past = History()
        return self.past

    def event(self, what: FlowEvent) -> None:
        """Move on in the table of the module's docstring. KeyError for what it does not name: a bug."""
        self.care = CARES[self.care, what]

    def take(self, hold: "Hold[Any]") -> None:
        """A rule holds the flow from now on."""
        self.event(FlowEvent.MATCH)
        self.hold = hold

    def end_hold(self) -> None:
        """The rule's time is over, or a rule above takes the flow: it is judged afresh."""
        self.event(FlowEvent.HOLD_ENDS)
        self.hold = None
        self.read_afresh()

    def ignore(self) -> None:
        """Nothing that a later packet shows can matter."""
        self.event(FlowEvent.NOTHING_LEFT)
        self.reading = False

    def read_afresh(self) -> None:
        """Read the flow as if it had just begun."""
        self.reading, self.inspection = True, Inspection()


class FlowTable:
    """All flows, least recently seen first.

    Idle ones are forgotten when their time is over. The bound is for those that live: the oldest gives way,
    and that is counted.
    """

    def __init__(self, profile: Profile, limit: int = MAX_FLOWS) -> None:
        self._flows: OrderedDict[tuple[bytes, int, bytes, int, int], Flow] = OrderedDict()
        self._ordinals: OrderedDict[tuple[bytes, bytes, int, int], int] = OrderedDict()
        self._hosts: OrderedDict[bytes, InsideHost] = OrderedDict()
        self._lists = LearnedLists()
        self._limit = limit
        self._needs_syn = not profile.picks_up_midway.value
        self._idle = (
            profile.idle_opening.value,
            profile.idle_answered.value,
            profile.idle_established.value,
        )
        self._sweep_at = 0.0  # before then no flow expires
        self.evictions = 0  # of flows and hosts that were still remembered

    def __len__(self) -> int:
        return len(self._flows)

    def track(self, packet: Packet, direction: Direction, now: float) -> Flow:
        """The packet's flow, its roles and times brought up to date."""
        # A plain tuple is equal to the key, and made in a third of its time.
        if direction is UP:
            ends = packet.source, packet.sport, packet.destination, packet.dport, packet.protocol
        else:
            ends = packet.destination, packet.dport, packet.source, packet.sport, packet.protocol
            host = self._hosts.get(packet.destination)
            if host is not None and host.aliases.entries:
                ends = host.aliases.get(FlowKey(*ends)) or ends
        flow = self._flows.get(ends)
        if flow is None:
            return self._open(FlowKey(*ends), packet, direction, now)
        if now - flow.seen > self._idle[flow.stage] and self._expired(flow, now):
            del self._flows[flow.key]
            return self._open(flow.key, packet, direction, now)
        self._flows.move_to_end(flow.key)
        if packet.flags & _OPENS == SYN and packet.protocol == TCP:
            flow.client = direction
            if direction is UP:
                flow.event(FlowEvent.SYN_INSIDE)
                flow.midway = False
                flow.read_afresh()
                flow.past = flow.exempt_by = None
            if direction is flow.asks:
                flow.first = (packet.seq + 1) % _ALL
        elif flow.stage < ESTABLISHED and (direction is flow.client) is (flow.stage == ANSWERED):
            flow.stage += 1
        flow.seen = now
        return flow

    def _expired(self, flow: Flow, now: float) -> bool:
        if now - flow.seen <= self._idle[flow.stage]:
            return False
        return flow.hold is None or now >= flow.hold.until

    def _open(self, key: FlowKey, packet: Packet, direction: Direction, now: float) -> Flow:
        self._make_room(now)
        opens = packet.protocol != TCP or packet.flags & (SYN | ACK) == SYN
        asks = direction if opens else UP  # our choice for a flow whose beginning was not seen
        flow = Flow(
            key,
            direction,
            now,
            self._next_ordinal(key),
            direction,
            self._needs_syn and not opens,
            self._host(key.inside),
            self._lists,
            key.outside_port if asks is UP else key.inside_port,
            asks,
        )
        if opens and packet.protocol == TCP:
            flow.first = (packet.seq + 1) % _ALL
        self._flows[key] = flow
        return flow

    def _make_room(self, now: float) -> None:
        """Forget the oldest flows as far as they have expired; a full table is searched for others."""
        flows = self._flows
        while flows and self._expired(oldest := next(iter(flows.values())), now):
            del flows[oldest.key]
        if len(flows) < self._limit:
            return
        if now >= self._sweep_at:  # an opening flow expires before an older one that is established
            for flow in [flow for flow in flows.values() if self._expired(flow, now)]:
                del flows[flow.key]
            self._sweep_at = min(map(self._expires, flows.values()), default=now)
        if len(flows) >= self._limit:
            flows.popitem(last=False)
            self.evictions += 1

    def _expires(self, flow: Flow) -> float:
        idle = flow.seen + self._idle[flow.stage]
        return idle if flow.hold is None else max(idle, flow.hold.until)

    def _host(self, inside: bytes) -> InsideHost:
        if inside not in self._hosts:
            if len(self._hosts) >= self._limit:
                self._forget_hosts()
            self._hosts[inside] = InsideHost()
        return self._hosts[inside]

    def _forget_hosts(self) -> None:
        """Those without a flow; if each has one, the oldest."""
        alive = {flow.key.inside for flow in self._flows.values()}
        idle = [host for host in self._hosts if host not in alive]
        for host in idle or [next(iter(self._hosts))]:
            del self._hosts[host]
        self.evictions += not idle

    def _next_ordinal(self, key: FlowKey) -> int:
        pair = (key.inside, key.outside, key.outside_port, key.protocol)
        ordinal = self._ordinals.get(pair, 0)
        self._ordinals[pair] = ordinal + 1
        if len(self._ordinals) > self._limit:
            self._ordinals.popitem(last=False)
        return ordinal
