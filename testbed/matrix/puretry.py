"""One try without a kernel: a client's packets past a box to a server, and its answer back."""

from typing import Final

from testbed.censor.packet import RST, parse
from testbed.censor.wire import Endpoints, IpForm, udp
from testbed.evade.forge import ACK, PSH, SYN, SenderFlow
from testbed.matrix.cell import Ending, MatrixTry
from testbed.matrix.contender import CALLS_PORT, Contender
from testbed.matrix.endhost import EndHost, opinion_of_http, opinion_of_tls
from testbed.matrix.purebox import PureBox
from testbed.matrix.pureline import HOP_LIMIT, PureLine

_CLIENT: Final = "95.24.0.2"
_STAMP: Final = 1_000_000  # ms
_ANSWER: Final = 60  # segments of the server: more than a policer's burst, or than SNI-II lets pass
_SHORT: Final = 3  # where no rule has been triggered: none of a pure box is by what a server sends
_LATER: Final = 3.0  # s, in which a policer's bucket fills again
_PIECE: Final = b"\x17\x03\x03\x05\x9b" + bytes(1435)
_PORTS: Final = {"tls": 443, "http": 80, "quic": 443, "voice": CALLS_PORT}


def try_purely(given: Contender, box: PureBox | None, seed: int = 1) -> MatrixTry:
    """A contender against a box, or none. `seed` also chooses the server, and so the box's node."""
    line = PureLine(box, seed)
    server = (box and box.server) or f"104.244.{seed // 250 % 250}.{seed % 250 + 1}"
    ending = (_Datagrams if given.datagrams else _Connection)(given, line, server).ending()
    if ending is Ending.BLOCKED and not line.rule:
        ending = Ending.UNEXPLAINED if box else Ending.BROKEN
    return MatrixTry(ending, line.rule, line.packet, line.unread)


class _Connection:
    """Over TCP."""

    def __init__(self, given: Contender, line: PureLine, server: str) -> None:
        self._given, self._line, port = given, line, _PORTS[given.kind]
        self._up = SenderFlow(_CLIENT, server, 40000, port, 1001, 9001, _STAMP)
        self._down = SenderFlow(server, _CLIENT, port, 40000, 9001, 1001, _STAMP)
        self._host = EndHost(1001, _STAMP)
        self._reset = False

    def ending(self) -> Ending:
        """The handshake, the client's flight, the answer."""
        self._line.up(self._up.forged(SYN, -1, options=self._up.stamped()), "SYN")
        self._line.down(self._down.forged(SYN | ACK, -1, options=self._down.stamped()), "SYN/ACK")
        self._line.up(self._up.forged(ACK, options=self._up.stamped()), "ACK")
        self._line.arrived_at_server()
        for number, segment in enumerate(self._given.plan.flight(self._given.first), 1):
            limit = segment.hop_limit or HOP_LIMIT
            self._line.up(self._up.packet(segment), f"{number}: {segment}", limit)
            self._receive()
        return self._judged()

    def _receive(self) -> None:
        self._reset = self._reset or any(_is_reset(raw) for raw in self._line.at_client)
        for raw in self._line.arrived_at_server():
            packet = parse(raw)
            if packet is None:
                continue
            if packet.flags & RST:
                self._reset = True
            elif packet.has_payload:
                self._host.receive(packet)
                self._line.down(self._acknowledging().forged(ACK), "ACK")

    def _acknowledging(self) -> SenderFlow:
        down, done = self._down, self._host.acknowledged
        return SenderFlow(down.source, down.destination, down.sport, down.dport, 9001, 1001 + done)

    def _judged(self) -> Ending:
        given, stream = self._given, self._host.stream
        if given.kind == "tls":
            opinion = opinion_of_tls(stream, given.first[5:])
        else:
            opinion = opinion_of_http(stream, given.first)
        if opinion == "refuses":
            return Ending.BROKEN
        if opinion == "waits" or self._reset:
            return Ending.BLOCKED
        came: list[bool] = []
        while len(came) < (_ANSWER if self._line.rule else _SHORT) and not self._reset:
            came.append(self._answers(len(came)))
        self._line.now += _LATER
        came.append(self._answers(len(came)))
        if self._reset:
            return Ending.BLOCKED
        if all(came):
            return Ending.THROUGH
        return Ending.DEGRADED if came[-1] else Ending.BLOCKED

    def _answers(self, number: int) -> bool:
        """Whether a segment of the server's answer arrives. The client acknowledges it."""
        self._line.at_client.clear()
        data = self._acknowledging().forged(PSH | ACK, number * len(_PIECE), _PIECE)
        self._line.down(data, "answer")
        arrived = [packet for raw in self._line.at_client if (packet := parse(raw))]
        self._reset = self._reset or any(packet.flags & RST for packet in arrived)
        came = any(packet.has_payload for packet in arrived)
        if came:
            self._line.up(self._up.forged(ACK, self._host.acknowledged), "ACK")
            self._receive()
        return came


def _is_reset(raw: bytes) -> bool:
    packet = parse(raw)
    return packet is not None and bool(packet.flags & RST)


class _Datagrams:
    """Over UDP, as far as the first flight and its answer."""

    def __init__(self, given: Contender, line: PureLine, server: str) -> None:
        self._given, self._line, self._server = given, line, server

    def ending(self) -> Ending:
        """The flight, then an answer of three datagrams."""
        client, server = bytes(map(int, _CLIENT.split("."))), bytes(map(int, self._server.split(".")))
        port = _PORTS[self._given.kind]
        up, down = Endpoints(client, server, 40000, port), Endpoints(server, client, port, 40000)
        for number, data in enumerate(self._given.datagrams, 1):
            decoy = number <= self._given.ignored
            real = "Initial" if self._given.kind == "quic" else "datagram"
            title = f"{number}: {'decoy' if decoy else real}, {len(data)} bytes"
            self._line.up(udp(up, data, IpForm()), title)
        arrived = [packet.payload for raw in self._line.arrived_at_server() if (packet := parse(raw))]
        if not all(data in arrived for data in self._given.datagrams[self._given.ignored :]):
            return Ending.BLOCKED
        for _ in range(3):
            self._line.down(udp(down, b"\xc0\0\0\0\1" + bytes(1195), IpForm()), "answer")
        return Ending.THROUGH if len(self._line.at_client) == 3 else Ending.BLOCKED
