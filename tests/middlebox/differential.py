"""Sequences of packets through the real rule set and through the soft kernel, compared packet by packet.

A sequence is one subscriber's packets, at most one in each slot of a common clock; many sequences run side by
side, each with addresses of its own. A packet carries its number and what the core answers if it is asked.
Every time-out ends in the middle between two slots. Before the next slot, a last packet each way shows that
all the others have been dealt with. The soft kernel is run at the slot's beginning and at that moment, and a
sequence for which the two differ is inconclusive: the machine was too busy.
"""

import mmap
import select
import socket
import time
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Raw

from testbed.censor.decision import PASS, Decision, Direction, Verdict
from testbed.censor.handover import PASS_ON, Drop, Police, passing_time
from testbed.censor.policy import Policy
from testbed.censor.profiles import PROFILES
from testbed.censor.softkernel import SoftKernel
from testbed.world.children import run_program
from testbed.world.netns import inside
from tests.middlebox.lab import Declares, Lab, Stub, policy

UP, DOWN = Direction.UP, Direction.DOWN
SLOTS = 12  # in a sequence, one byte each
SLOT = 0.12  # real seconds
SCALE = passing_time(PROFILES["t22"]) / (3.5 * SLOT)  # `Pass` lasts three slots and a half
_SLOT = SLOT * SCALE  # of the censor's clock
_MARK = b"seq!"
_FENCE = 0xFFFFFFFF

RULES = (
    Declares((Drop(1.5 * _SLOT), Drop(2.5 * _SLOT, refresh=True))),
    Declares((Police(16_000, 2_000, 3.5 * _SLOT), Drop(4.5 * _SLOT))),
    Declares(
        (
            Police(8, 1_500, 2.5 * _SLOT, per="host", direction="up"),
            Police(8, 900, 1.5 * _SLOT, direction="down"),
        )
    ),
)
_DECLARED = [(rule, handover) for rule, action in enumerate(RULES) for handover in action.values]
ANSWERS = (
    PASS,
    PASS,
    Decision(handover=PASS_ON),
    Decision(Verdict.DROP, rule=0),
    *(Decision(Verdict.PASS, handover=handover, rule=rule) for rule, handover in _DECLARED),
    *(Decision(Verdict.DROP, handover=handover, rule=rule) for rule, handover in _DECLARED),
)
KINDS = ("syn", "ack", "syn-ack", "reset", "other flow", "udp", "fragment", "extended")


@dataclass(frozen=True)
class Sent:
    """One packet: where it goes, and when."""

    number: int  # unique in a batch
    slot: int
    direction: Direction
    raw: bytes
    words: str


@dataclass(frozen=True)
class Verdicts:
    """Which packets the core was asked about, and which arrived."""

    asked: frozenset[int]
    arrived: frozenset[int]


def decoded(sequences: list[bytes]) -> list[list[Sent]]:
    """The packets of each sequence. A byte is one slot: direction, kind and answer; 0 sends nothing."""
    return [
        [_packet(index, slot, byte) for slot, byte in enumerate(sequence) if byte]
        for index, sequence in enumerate(sequences)
    ]


def _packet(index: int, slot: int, byte: int) -> Sent:
    direction, kind, answer = Direction(byte & 1), KINDS[byte >> 1 & 7], ((byte >> 4) + slot) % len(ANSWERS)
    number = index * SLOTS + slot
    version = 4 if index % 2 == 0 else 6
    near, far = ("10.{}.{}.9", "203.0.113.7") if version == 4 else ("2001:db8:a:{}::{}", "2001:db8:b::7")
    near = (
        near.format(index >> 8, index & 0xFF)
        if version == 4
        else near.format(f"{index >> 8:x}", f"{index & 0xFF:x}")
    )
    source, destination = (near, far) if direction is UP else (far, near)
    ports = (4001 if kind == "other flow" else 4000, 443)
    sport, dport = ports if direction is UP else ports[::-1]
    body = _MARK + number.to_bytes(4, "big") + bytes([answer]) + bytes((0, 400, 900)[(byte + slot) % 3])
    flags = {"syn": "S", "syn-ack": "SA", "reset": "R"}.get(kind, "A")
    transport = UDP(sport=sport, dport=dport) if kind == "udp" else TCP(sport=sport, dport=dport, flags=flags)
    if version == 4:
        more = {"fragment": {"flags": "MF"}, "extended": {"options": [IPOption_NOP()] * 4}}.get(kind, {})
        packet = IP(src=source, dst=destination, **more) / transport / Raw(body)
    else:
        header = {"fragment": IPv6ExtHdrFragment(m=1), "extended": IPv6ExtHdrHopByHop()}.get(kind)
        packet = IPv6(src=source, dst=destination)
        packet = packet / header / transport / Raw(body) if header else packet / transport / Raw(body)
    way = "up" if direction is UP else "down"
    words = f"slot {slot:2} {way:4} {kind:10} {len(bytes(packet)):4} B, the core would say {ANSWERS[answer]}"
    return Sent(number, slot, direction, bytes(packet), words)


def answer_to(raw: bytes) -> tuple[int, Decision]:
    """A packet's number, and what the core says about it."""
    at = raw.find(_MARK)
    if at < 0:
        return _FENCE, PASS
    return int.from_bytes(raw[at + 4 : at + 8], "big"), ANSWERS[raw[at + 8]]


def box() -> Policy:
    """The policy of both kernels."""
    return policy(*RULES)


def simulated(packets: list[Sent], times: list[float]) -> tuple[Verdicts, Counter[str]]:
    """One sequence through the soft kernel, each slot's packet at the given time (real seconds)."""
    asked: set[int] = set()

    def decide(raw: bytes, _direction: Direction, _now: float) -> Decision:
        number, decision = answer_to(raw)
        asked.add(number)
        return decision

    kernel = SoftKernel(Stub(decide), box(), time_scale=SCALE)
    arrived = {
        sent.number
        for sent in packets
        if kernel.process(sent.raw, sent.direction, times[sent.slot] * SCALE).decision.verdict is Verdict.PASS
    }
    return Verdicts(frozenset(asked), frozenset(arrived)), kernel.counted


class Line:
    """Client, hop and server; any address is routed through, and nobody answers."""

    def __init__(self, lab: Lab) -> None:
        routes = {
            "in": ("192.0.2.2", "10.0.0.0/8", "2001:db8:1::2", "2001:db8:a::/48"),
            "out": ("198.51.100.2", "203.0.113.0/24", "2001:db8:2::2", "2001:db8:b::/48"),
        }
        peers = {"in": "client", "out": "server"}
        self.sockets: dict[Direction, socket.socket] = {}
        self._router: dict[Direction, bytes] = {}
        for device, (via4, to4, via6, to6) in routes.items():
            way = UP if device == "in" else DOWN
            with inside(lab.ns[peers[device]]):
                mac = _mac("eth0")
                self.sockets[way] = _listening()
            with inside(lab.ns["hop"]):
                self._router[way] = bytes.fromhex(_mac(device).replace(":", ""))
                for via, to in ((via4, to4), (via6, to6)):
                    run_program(
                        ["ip", "neighbour", "replace", via, "lladdr", mac, "dev", device], "a neighbour"
                    )
                    run_program(["ip", "route", "add", to, "via", via, "dev", device], "a route")

    def send(self, direction: Direction, raw: bytes) -> None:
        """From the client (UP) or the server."""
        kind = 0x0800 if raw[0] >> 4 == 4 else 0x86DD
        self.sockets[direction].sendto(raw, ("eth0", kind, 0, 0, self._router[direction]))

    def fence(self, arrived: set[int], patience: float = 10.0) -> None:
        """Wait until everything sent has been dealt with; note what arrived."""
        for direction in (UP, DOWN):
            ends = ("10.255.255.9", "203.0.113.7") if direction is UP else ("203.0.113.7", "10.255.255.9")
            self.send(direction, bytes(IP(src=ends[0], dst=ends[1], proto=253) / Raw(b"fence")))
        missing, deadline = {UP, DOWN}, time.monotonic() + patience
        while missing:
            left = deadline - time.monotonic()
            assert left > 0, "a fence did not arrive"
            for ready in select.select(list(self.sockets.values()), [], [], left)[0]:
                missing -= self._read(ready, arrived)

    def _read(self, ready: socket.socket, arrived: set[int]) -> set[Direction]:
        fences = set()
        while True:
            try:
                raw, origin = ready.recvfrom(65_535)
            except BlockingIOError:
                return fences
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            number, _ = answer_to(raw)
            if number != _FENCE:
                arrived.add(number)
            elif raw.endswith(b"fence"):
                fences.add(UP if ready is self.sockets[DOWN] else DOWN)


def live(batch: list[list[Sent]]) -> SimpleNamespace:
    """All sequences through the real rule set, in a world of one's own.

    `verdicts` as observed, `begun` and `done` of each slot (real seconds on one clock), `counters` by rule.
    """
    lab = Lab()
    line = Line(lab)
    asked = mmap.mmap(-1, len(batch) * SLOTS)

    def decide(raw: bytes, _direction: Direction, _now: float) -> Decision:
        number, decision = answer_to(raw)
        if number != _FENCE:
            asked[number] = 1
        return decision

    running = lab.censor(Stub(decide), box(), SCALE)
    arrived: set[int] = set()
    line.fence(arrived)
    begun, done = [], []
    start = time.monotonic()
    for slot in range(SLOTS):
        time.sleep(max(0.0, start + slot * SLOT - time.monotonic()))
        begun.append(time.monotonic() - start)
        for packets in batch:
            for sent in packets:
                if sent.slot == slot:
                    line.send(sent.direction, sent.raw)
        line.fence(arrived)
        done.append(time.monotonic() - start)
    receipt = running.stop()
    seen = frozenset(number for number in range(len(batch) * SLOTS) if asked[number])
    counters = [receipt.rules[f"r{rule}"]["kernel"] for rule in range(len(RULES))]
    return SimpleNamespace(
        verdicts=Verdicts(seen, frozenset(arrived)),
        begun=begun,
        done=done,
        counters=counters,
        faults=receipt.faults,
    )


def _listening() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind(("eth0", 0x0003))
    made.settimeout(0)
    return made


def _mac(device: str) -> str:
    shown = run_program(["ip", "-o", "link", "show", device], "an interface")
    return shown.split("link/ether ")[1].split()[0]
