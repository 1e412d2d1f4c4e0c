"""The backend through the kernel: a world, raw sockets at both ends, real censors.

L and R have no addresses and hence no TCP stack that would answer: this process plays both hosts. What
arrives is captured at each end's interface, before anything can change it.
"""

import json
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from testbed.conformance.backend import ABROAD, DOMESTIC, HOPS, L_ADDRESS, NEIGHBOUR, Backend, Who, Wire
from testbed.conformance.case import Dialogue
from testbed.conformance.packets import FENCE, ICMP, Ip
from testbed.errors import InvalidRunError
from testbed.middlebox.loop import serve_censor
from testbed.middlebox.marks import Position
from testbed.model import Operator, Placement, World
from testbed.world import interrupt, linux, netns
from testbed.world.build import BuiltWorld, build
from testbed.world.children import Children, Ready, run_program
from testbed.world.plan import plan

_ETH_P_IP: Final = 0x0800
_FENCE_HOST: Final = "203.0.113.254"
_TIME_EXCEEDED: Final = 11
_FIRST_PATIENCE: Final = 1.0  # s for the first fence, which a policy may drop
_PATIENCE: Final = 5.0  # s after which a later fence counts as lost
_QUIET: Final = 0.25  # s of silence to wait for where a policy drops fences
_START: Final = 30.0  # s for a censor to be ready
_LATE: Final = 0.03  # s at the end of a dialogue, for packets that a box delayed
_BUFFER: Final = 8 << 20  # bytes of captured packets
_BATCH: Final = 32  # packets sent before the captures are read
_OTHER: Final[dict[Who, Who]] = {"L": "R", "R": "L"}
_FIRST, _SECOND = "mts", "beeline"


def _world() -> World:
    operators = tuple(
        Operator(
            key=key,
            name=key.upper(),
            asn=8359 + number,
            country="RU",
            kind="mobile",
            prefix4=ip_network(f"213.87.{number}.0/24"),  # type: ignore[arg-type]
            prefix6=ip_network(f"2a00:1fa0:{number:x}::/48"),  # type: ignore[arg-type]
            hops=HOPS,
        )
        for number, key in enumerate((_FIRST, _SECOND))
    )
    return World("conformance", operators, (), (), transit=ABROAD - HOPS - 1)


class LiveWorld:
    """One built world for many dialogues. Create it inside `testbed.world.enter`."""

    def __init__(self) -> None:
        self.built = build(plan(_world()))
        for node in (_FIRST, _SECOND, "far"):
            with netns.inside(self.built.namespaces[node]):
                flush = [linux.program("ip", "iproute2"), "address", "flush", "dev", "eth0"]
                run_program(flush, f"taking the addresses of {node} away")

    @contextmanager
    def backend(self, dialogue: Dialogue) -> Iterator[Backend]:
        """Run the dialogue's censors while the context lasts, then check their receipts.

        Errors: InvalidRunError if a censor failed, or its receipt differs from the kernel's count.
        """
        started = time.monotonic()
        folder = Path(mkdtemp(prefix="conformance-", dir="/run"))
        running: list[_Running] = []
        backend = LiveBackend(self.built, dialogue)
        try:
            numbers = range(len(dialogue.boxes))
            running.extend(_Running(self.built, number, dialogue, folder, started) for number in numbers)
            backend.try_fence()
            yield backend
        finally:
            backend.close()
            for one in running:
                one.stop()
            for one in running:
                one.clear()
        for one in running:
            one.check()


class _Running:
    """A censor's process."""

    def __init__(
        self, built: BuiltWorld, number: int, dialogue: Dialogue, folder: Path, started: float
    ) -> None:
        box = dialogue.boxes[number]
        sharing = [n for n, o in enumerate(dialogue.boxes) if (o.inside, o.hop) == (box.inside, box.hop)]
        position = Position(sharing.index(number), len(sharing))
        operator = _FIRST if box.inside == "L" else _SECOND
        placement = Placement(operator, box.policy, box.hop)
        self._namespace = built.namespaces[f"{operator}.hop{box.hop}"]
        self._folder, self._name = folder / str(number), placement.name
        self._folder.mkdir()
        self._children = Children(self._folder / "logs")
        seed, scale = dialogue.seed, dialogue.scale

        def serve(ready: Ready) -> None:
            serve_censor(placement, seed, self._folder, started, scale, ready, position=position)

        self._children.spawn("censor", serve, self._namespace)
        try:
            self._children.wait_ready(_START)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it; it writes its receipt as it ends."""
        if ended := self._children.stop():
            self._status = ended["censor"]

    def clear(self) -> None:
        """Take the rules of the hop away, once all its censors have stopped: packets would queue unread."""
        with netns.inside(self._namespace):
            run_program([linux.program("nft", "nftables"), "flush", "ruleset"], f"clearing {self._name}")

    def check(self) -> None:
        """Compare what the core claimed with what the kernel counted. InvalidRunError if they differ."""
        where = self._folder / "receipts" / f"{self._name.replace('/', '.')}.json"
        if not self._status.ok or not where.is_file():
            raise InvalidRunError(f"{self._name}: {self._status}")
        receipt = json.loads(where.read_text("utf-8"))
        wrong = [what for what in ("faults", "queue_dropped", "user_dropped", "evictions") if receipt[what]]
        for rule, counts in receipt["rules"].items():
            for what, claimed in counts["claimed"].items():
                if counts["kernel"][what] != claimed:
                    wrong.append(f"{rule}: {claimed} x {what} claimed, {counts['kernel'][what]} counted")
        if wrong:
            raise InvalidRunError(f"{self._name}: its receipt shows {', '.join(wrong)}")


@dataclass(slots=True)
class _End:
    """One host: a packet socket on its only interface, and the router's hardware address."""

    socket: socket.socket
    router: bytes

    @classmethod
    def at(cls, built: BuiltWorld, node: str) -> "_End":
        near, far = next(pair for link in built.plan.links for pair in link.ends if pair[0].node == node)
        with netns.inside(built.namespaces[node]):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.bind((near.name, _ETH_P_IP))
        made.settimeout(0)
        return cls(made, bytes.fromhex(far.mac.replace(":", "")))

    def send(self, packet: bytes) -> None:
        """Send, waiting while packets that a box holds fill the socket's buffer."""
        room = select.poll()
        room.register(self.socket, select.POLLOUT)
        if not room.poll(_PATIENCE * 1000):
            raise InvalidRunError(f"nothing could be sent for {_PATIENCE:g} s: the box keeps every packet")
        self.socket.sendto(packet, ("eth0", _ETH_P_IP, 0, 0, self.router))

    def received(self) -> Iterator[bytes]:
        """Packets that have arrived, without the routers' ICMP "time exceeded"."""
        while True:
            try:
                raw, origin = self.socket.recvfrom(65_535)
            except BlockingIOError:
                return
            if origin[2] != socket.PACKET_OUTGOING and (raw[9], raw[20]) != (ICMP, _TIME_EXCEEDED):
                yield raw[: int.from_bytes(raw[2:4], "big")]


class LiveBackend:
    """Both ends of the path. After every send, a fence packet each way shows that all else arrived."""

    def __init__(self, built: BuiltWorld, dialogue: Dialogue) -> None:
        self.routers = dialogue.routers
        self._scale = dialogue.scale
        right = _SECOND if dialogue.routers == DOMESTIC else "far"
        self._ends: dict[Who, _End] = {"L": _End.at(built, _FIRST), "R": _End.at(built, right)}
        self._fence_host = NEIGHBOUR if dialogue.routers == DOMESTIC else _FENCE_HOST
        self._fenced = True
        self._number = 0

    def close(self) -> None:
        """Close the sockets."""
        for end in self._ends.values():
            end.socket.close()

    def try_fence(self) -> None:
        """Find out whether fence packets pass the policy."""
        self._fenced = all(self._fence(who, Wire(), _FIRST_PATIENCE) for who in self._ends)

    def send(self, who: Who, packets: Sequence[bytes]) -> Wire:
        """See `Backend`."""
        wire = Wire()
        for number, packet in enumerate(packets, 1):
            self._ends[who].send(packet)
            if number % _BATCH == 0:
                self._read(wire)
        if self._fenced:
            for end in (who, _OTHER[who]):
                if not self._fence(end, wire, _PATIENCE):
                    raise InvalidRunError(f"fence packets from {end} no longer arrive")
        else:
            self._listen(wire, _QUIET)
        return wire

    def wait(self, seconds: float) -> None:
        """See `Backend`."""
        time.sleep(seconds / self._scale)

    def pause(self, seconds: float) -> None:
        """See `Backend`."""
        time.sleep(seconds)

    def clock(self) -> float:
        """See `Backend`."""
        return time.monotonic()

    def late(self) -> Wire:
        """See `Backend`."""
        wire = Wire()
        self._listen(wire, _LATE)
        return wire

    def _fence(self, who: Who, wire: Wire, patience: float) -> bool:
        self._number += 1
        ends = (L_ADDRESS, self._fence_host) if who == "L" else (self._fence_host, L_ADDRESS)
        body = b"fence" + self._number.to_bytes(8, "big")
        self._ends[who].send(Ip(*ends).around(FENCE, body))
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            if self._read(wire, left) == body:
                return True
        return False

    def _listen(self, wire: Wire, quiet: float) -> None:
        while self._read(wire, quiet) is not None:
            pass

    def _read(self, wire: Wire, patience: float = 0.0) -> bytes | None:
        """Read both ends: the last fence's body, b"" if only other packets arrived, None if nothing did."""
        sockets = {end.socket.fileno(): who for who, end in self._ends.items()}
        last: bytes | None = None
        for ready in interrupt.wait(sockets, patience):
            who = sockets[ready]
            for raw in self._ends[who].received():
                if raw[9] == FENCE:
                    last = raw[20:]
                else:
                    last = last or b""
                    wire.at[who].append(raw)
        return last
