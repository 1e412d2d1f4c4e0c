"""Flows as the box tracks them: the last SYN names the client, FIN and RST clear nothing (CP22 Fig. 7)."""

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from testbed.censor.decision import Direction
from testbed.censor.diverted import original
from testbed.censor.models import Model
from testbed.censor.packet import ACK, SYN, TCP, Packet
from testbed.censor.profile import Profile
from testbed.censor.segments import FlowFacts

MAX_FLOWS = 65_536  # our choice: bounds memory; evictions are counted and reported


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


@dataclass(slots=True, eq=False)
class Flow:
    """What the box remembers about one 4-tuple."""

    key: FlowKey
    client: Direction  # UP: the inside host opened it, or sent the last SYN
    seen: float  # time of the last packet
    ordinal: int  # how many flows between these hosts and this port came before it
    opener: Direction  # who sent the first packet
    stage: int = 0  # 0: only the client has been seen; 1: the other end answered; 2: and the client again
    inspecting: bool = True
    budget: int | None = None  # payload packets still inspected; None until something was recognised
    model: Model | None = None  # how this flow is looked at; chosen per pair of hosts
    facts: FlowFacts | None = None  # for models that check segments
    reader: object = None  # the stream, or the QUIC Initial, put together so far
    rule: int | None = None  # the rule that holds this flow
    held_until: float = 0.0
    state: object = None  # the holding action's own
    shared: dict[str, object] = field(default_factory=dict)  # state shared by the flows of one inside host

    def hold(self, rule: int, until: float) -> None:
        """Give the flow to a rule until a time."""
        self.rule, self.held_until, self.state = rule, until, None

    def release(self) -> None:
        """The residual time is over: the flow is judged afresh."""
        self.rule, self.state = None, None
        self.judge_afresh()

    def judge_afresh(self) -> None:
        """Look at the flow as if it had just begun."""
        self.inspecting, self.budget, self.reader = True, None, None


class FlowTable:
    """All flows, least recently seen first. Bounded: the oldest gives way, and that is counted."""

    def __init__(self, profile: Profile, limit: int = MAX_FLOWS) -> None:
        self._flows: OrderedDict[FlowKey, Flow] = OrderedDict()
        self._ordinals: OrderedDict[tuple[bytes, bytes, int, int], int] = OrderedDict()
        self._hosts: OrderedDict[bytes, dict[str, object]] = OrderedDict()
        self._limit = limit
        self._idle = (
            profile.idle_opening.value,
            profile.idle_answered.value,
            profile.idle_established.value,
        )
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._flows)

    def track(self, packet: Packet, direction: Direction, now: float) -> Flow:
        """The packet's flow, its roles and times brought up to date."""
        if direction is Direction.UP:
            key = FlowKey(packet.source, packet.sport, packet.destination, packet.dport, packet.protocol)
        else:
            key = FlowKey(packet.destination, packet.dport, packet.source, packet.sport, packet.protocol)
            key = original(self._hosts.get(key.inside), key)
        flow = self._flows.get(key)
        if flow is None:
            return self._open(key, direction, now)
        if now >= flow.held_until and now - flow.seen > self._idle[flow.stage]:
            del self._flows[key]
            return self._open(key, direction, now)
        self._flows.move_to_end(key)
        if packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN:
            self._begun_again(flow, direction)
        elif flow.stage < 2 and (direction != flow.client) is (flow.stage == 0):
            flow.stage += 1
        flow.seen = now
        return flow

    def _begun_again(self, flow: Flow, direction: Direction) -> None:
        """A new SYN: its sender is the client now, and what follows is looked at again."""
        flow.client = direction
        if direction is Direction.UP:
            flow.judge_afresh()

    def _open(self, key: FlowKey, direction: Direction, now: float) -> Flow:
        if len(self._flows) >= self._limit:
            self._flows.popitem(last=False)
            self.evictions += 1
        flow = Flow(key, direction, now, self._next_ordinal(key), direction, shared=self._host(key.inside))
        self._flows[key] = flow
        return flow

    def _host(self, inside: bytes) -> dict[str, object]:
        if inside not in self._hosts:
            if len(self._hosts) >= self._limit:
                self._hosts.popitem(last=False)
                self.evictions += 1
            self._hosts[inside] = {}
        return self._hosts[inside]

    def _next_ordinal(self, key: FlowKey) -> int:
        pair = (key.inside, key.outside, key.outside_port, key.protocol)
        ordinal = self._ordinals.get(pair, 0)
        self._ordinals[pair] = ordinal + 1
        if len(self._ordinals) > self._limit:
            self._ordinals.popitem(last=False)
        return ordinal
