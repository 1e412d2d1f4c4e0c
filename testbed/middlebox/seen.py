"""Replies of a lying resolver as they leave its host: the second place for what it claims."""

import socket
from collections import Counter, OrderedDict
from collections.abc import Iterator

from testbed.censor.flow import FlowKey
from testbed.censor.handover import counter_name
from testbed.censor.packet import TCP, UDP, Packet, parse
from testbed.middlebox.acts import FlowActs

_ETH_P_ALL = 0x0003
_REMEMBERED = 65_536  # replies; our choice, far more than can be on their way at once
_BUFFER = 4 << 20  # bytes
_DNS_PORT = 53
_TRUNCATED = 0x02  # in the third byte of a message


class SeenReplies:
    """Compares outgoing DNS messages with the forged answers and the drops that were claimed."""

    def __init__(self) -> None:
        self._claimed: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()  # a reply of b"" is a drop
        self._waiting: Counter[bytes] = Counter()
        self._counts: Counter[str] = Counter()
        self._askers: OrderedDict[bytes, FlowKey] = OrderedDict()  # of queries, by identity
        self._answered: Counter[tuple[int, FlowKey]] = Counter()  # lies seen leaving, by rule and flow

    def expect(self, reply: bytes, rule: int) -> None:
        """A rule's lie is about to leave."""
        self._remember(_identity(reply), (rule, reply))

    def expect_silence(self, query: bytes, rule: int) -> None:
        """A query gets no reply. It counts as dropped from now on, and no longer if a reply leaves."""
        self._counts[counter_name("drop", rule)] += 1
        self._remember(_identity(query), (rule, b""))

    def counted(self) -> Counter[str]:
        """What was seen, by the names of the kernel's counters."""
        return self._counts

    def by_flow(self, rules: int) -> list[dict[str, FlowActs]]:
        """For each rule, what was seen by flow, the client first."""
        seen = self._answered.copy()
        for identity, (rule, reply) in self._claimed.items():
            if not reply and self._waiting[identity] > 0 and identity in self._askers:
                seen[rule, self._askers[identity]] += self._waiting[identity]
        found: list[dict[str, FlowActs]] = [{} for _ in range(rules)]
        for (rule, flow), number in seen.items():
            found[rule][str(flow)] = FlowActs(number, number, down=number)
        return found

    @staticmethod
    def listening() -> socket.socket:
        """A packet socket on every interface of the current namespace."""
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        wire.settimeout(0)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        return wire

    def read(self, wire: socket.socket) -> None:
        """Look at what the packet socket has."""
        while True:
            try:
                raw, origin = wire.recvfrom(65_535)
            except BlockingIOError:
                return
            if origin[2] == socket.PACKET_OUTGOING:
                self.packet(raw)
            elif origin[2] == socket.PACKET_HOST:
                self.incoming(raw)

    def packet(self, raw: bytes) -> None:
        """One outgoing IP packet."""
        packet = parse(raw)
        if packet is not None and packet.sport == _DNS_PORT:
            flow = FlowKey(packet.destination, packet.dport, packet.source, packet.sport, packet.protocol)
            for message in _messages(packet):
                self._reply(message, flow)

    def incoming(self, raw: bytes) -> None:
        """One IP packet for this host: a query's flow is remembered, for one that gets no reply."""
        packet = parse(raw)
        if packet is not None and packet.dport == _DNS_PORT:
            flow = FlowKey(packet.source, packet.sport, packet.destination, packet.dport, packet.protocol)
            for message in _messages(packet):
                self._askers[_identity(message)] = flow
                if len(self._askers) > _REMEMBERED:
                    self._askers.popitem(last=False)

    def _reply(self, message: bytes, flow: FlowKey) -> None:
        identity = _identity(message)
        if not self._waiting.get(identity):
            return
        rule, reply = self._claimed[identity]
        if not reply:
            self._counts[counter_name("drop", rule)] -= 1
        elif message == reply or message[2] & _TRUNCATED:
            self._counts[counter_name("inject", rule)] += 1
            self._answered[rule, flow] += 1
        else:
            return
        self._waiting[identity] -= 1

    def _remember(self, identity: bytes, claim: tuple[int, bytes]) -> None:
        self._waiting[identity] += 1
        self._claimed[identity] = claim
        if len(self._claimed) > _REMEMBERED:
            del self._waiting[self._claimed.popitem(last=False)[0]]


def _messages(packet: Packet) -> Iterator[bytes]:
    """The DNS messages of a packet; over TCP those that are whole in it, as replies of ours are."""
    if packet.protocol == UDP:
        yield packet.payload
    elif packet.protocol == TCP:
        rest = packet.payload
        while len(rest) > 2:
            end = 2 + int.from_bytes(rest[:2], "big")
            yield rest[2:end]
            rest = rest[end:]


def _identity(message: bytes) -> bytes:
    """A message's number and its question: the same for a query and its reply."""
    end = message.find(b"\0", 12) + 5  # the root label, then type and class
    return message[:2] + message[12:end]
