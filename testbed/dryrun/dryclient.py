"""The client's side of a way: its kernel, with its sockets and what arrives there, and its log."""

import os
from collections.abc import Callable
from itertools import count
from typing import Final

from testbed.censor.packet import ICMP, ICMP6, TCP, UDP, Packet, parse
from testbed.censor.wire import Endpoints, IpForm, udp
from testbed.dryrun.agenda import Agenda
from testbed.dryrun.icmperrno import icmp_errno
from testbed.dryrun.packedaddress import address_text, packed_address
from testbed.dryrun.tcppeer import TcpPeer
from testbed.dryrun.way import Way, read
from testbed.measurement.target import endpoint_text
from testbed.model import Addresses
from testbed.probe.log import MeasurementLog, ProbePlace

_START: Final = 1_000_000  # initial sequence number of clients


class DryLog(MeasurementLog):
    """A log whose clock is the agenda's."""

    def __init__(self, place: ProbePlace, agenda: Agenda) -> None:
        super().__init__(place)
        self._agenda, self._begun = agenda, agenda.now

    def now(self) -> float:
        """Seconds since the measurement began."""
        return round(self._agenda.now - self._begun, 6)


class DryClient:
    """The client's kernel: sockets on one host, and what arrives there."""

    def __init__(self, agenda: Agenda, way: Way, addresses: Addresses) -> None:
        self.agenda, self.way = agenda, way
        self._addresses = tuple(map(packed_address, addresses))
        self._ports = count(40000)
        self._tcp: dict[Endpoints, TcpPeer] = {}
        self._udp: dict[Endpoints, Callable[[bytes | OSError], None]] = {}
        way.to_client = self.receive

    def ends(self, address: str, port: int) -> Endpoints:
        """A new socket's 4-tuple, as its packets leave."""
        far = packed_address(address)
        return Endpoints(self._addresses[len(far) == 16], far, next(self._ports), port)

    def tcp(self, ends: Endpoints) -> TcpPeer:
        """A socket of TCP."""
        self._tcp[ends] = TcpPeer(self.agenda, self.way.up, ends, _START)
        return self._tcp[ends]

    def udp(self, ends: Endpoints, receive: Callable[[bytes | OSError], None]) -> Callable[[bytes], None]:
        """A socket of UDP: what sends a datagram. `receive` gets datagrams, and what ICMP makes of it."""
        self._udp[ends] = receive
        return lambda data: self.way.up(udp(ends, data, IpForm(dont_fragment=True)))

    def close(self, ends: Endpoints) -> None:
        """Forget a socket."""
        if (peer := self._tcp.pop(ends, None)) is not None:
            peer.drop()
        self._udp.pop(ends, None)

    def receive(self, raw: bytes) -> None:
        """A packet that arrived."""
        packet = read(raw)
        if packet is None:
            return
        ends = Endpoints.replying_to(packet)
        if packet.protocol == TCP and (peer := self._tcp.get(ends)):
            peer.receive(packet)
        elif packet.protocol == UDP and (taken := self._udp.get(ends)):
            taken(packet.payload)
        elif packet.protocol in (ICMP, ICMP6):
            self._error(packet)

    def _error(self, packet: Packet) -> None:
        quoted, said = parse(_whole(packet.payload)), icmp_errno(packet)
        if quoted is None or said is None:
            return
        ends = Endpoints.continuing(quoted)
        if (peer := self._tcp.get(ends)) is not None:
            peer.unreachable(said.number)
        elif said.fatal and (taken := self._udp.get(ends)) is not None:
            taken(OSError(said.number, os.strerror(said.number)))


def _whole(quoted: bytes) -> bytes:
    """A quoted packet with a length that fits what is there of it."""
    if len(quoted) >= 20 and quoted[0] >> 4 == 4:
        return quoted[:2] + len(quoted).to_bytes(2, "big") + quoted[4:]
    if len(quoted) >= 40 and quoted[0] >> 4 == 6:
        return quoted[:4] + (len(quoted) - 40).to_bytes(2, "big") + quoted[6:]
    return quoted


def note_flow(log: MeasurementLog, ends: Endpoints, transport: str) -> None:
    """Log the 4-tuple of a socket, as events name it."""
    near, far = (
        endpoint_text(address_text(address), port)
        for address, port in ((ends.source, ends.sport), (ends.destination, ends.dport))
    )
    log.flows.append(f"{transport} {near} > {far}")
