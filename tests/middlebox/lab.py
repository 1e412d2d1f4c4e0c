"""A small world for the middlebox alone: client - hop - server, a censor on the hop, nothing else.

Everything here runs inside `isolated_call`. Addresses are documentation ones.
"""

import array
import json
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import ClassVar, TypeVar

from testbed.censor.actions.base import Action, AnyAction
from testbed.censor.decision import PASS, Decision, Direction
from testbed.censor.handover import Handover
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.middlebox.box import Clock
from testbed.middlebox.loop import QUEUE_LENGTH, serve
from testbed.middlebox.marks import Position
from testbed.middlebox.ruleset import ALONE
from testbed.world.children import Call, Children
from testbed.world.enter import isolated_call
from testbed.world.netns import Namespace, inside

T = TypeVar("T")

CLIENT = {4: "192.0.2.2", 6: "2001:db8:1::2"}
SERVER = {4: "198.51.100.2", 6: "2001:db8:2::2"}
PORT = 443
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

_LINKS = """\
link add in netns hop type veth peer name eth0 netns client
link add out netns hop type veth peer name eth0 netns server
"""
_SETUP = {
    "client": """\
link set eth0 up
addr add 192.0.2.2/24 dev eth0
addr add 2001:db8:1::2/64 dev eth0 nodad
route add default via 192.0.2.1
route add default via 2001:db8:1::1
""",
    "hop": """\
link set in up
link set out up
addr add 192.0.2.1/24 dev in
addr add 2001:db8:1::1/64 dev in nodad
addr add 198.51.100.1/24 dev out
addr add 2001:db8:2::1/64 dev out nodad
""",
    "server": """\
link set eth0 up
addr add 198.51.100.2/24 dev eth0
addr add 2001:db8:2::2/64 dev eth0 nodad
route add default via 198.51.100.1
route add default via 2001:db8:2::1
""",
}


class Lab:
    """The three namespaces, up and forwarding."""

    def __init__(self, offloads: bool = False) -> None:
        self.ns = {name: Namespace.create(name) for name in ("client", "hop", "server")}
        subprocess.run(["ip", "-batch", "-"], input=_LINKS, text=True, check=True)
        for where, batch in _SETUP.items():
            with inside(self.ns[where]):
                for device in {"hop": ("in", "out")}.get(where, ("eth0",)):
                    # or a link-local address is "tentative" for a second
                    Path(f"/proc/sys/net/ipv6/conf/{device}/accept_dad").write_text("0")
                    if not offloads:
                        _plain(device)
                subprocess.run(["ip", "-batch", "-"], input="link set lo up\n" + batch, text=True, check=True)
        with inside(self.ns["hop"]):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        self.run_dir = Path(mkdtemp(prefix="run-", dir="/run"))

    def fork(self, where: str, body: Callable[[], T]) -> Call[T]:
        """Run `body` in a process of its own in a namespace."""
        return Call(body, namespace=self.ns[where], name=f"the {where}")

    def censor(
        self,
        core,
        policy: Policy,
        time_scale: float = 1.0,
        queue_length: int = QUEUE_LENGTH,
        position: Position = ALONE,
    ) -> "Running":
        """Start a censor on the hop; returns when packets are judged."""
        return Running(self, core, policy, time_scale, queue_length, position=position)


class Running:
    """A censor at work."""

    def __init__(
        self,
        lab: Lab,
        core,
        policy: Policy,
        time_scale: float,
        queue_length: int,
        reread=None,
        position: Position = ALONE,
    ) -> None:
        self._name = f"lab/{policy.name}"
        self._lab = lab
        self.started = time.monotonic()

        def body(ready: Callable[[], None]) -> None:
            clock = Clock(self.started, time_scale)
            serve(core, policy, self._name, lab.run_dir, clock, ready, queue_length, reread, position)

        self._children = Children(lab.run_dir / "logs")
        self.child = self._children.spawn("censor", body, lab.ns["hop"])
        self._children.wait_ready(30)

    def stop(self) -> SimpleNamespace:
        """End it; its receipt and events."""
        [ended] = self._children.stop(60).values()
        receipt = json.loads((self._lab.run_dir / "receipts" / f"lab.{self._name[4:]}.json").read_text())
        events = [json.loads(line) for line in (self._lab.run_dir / "events.jsonl").read_text().splitlines()]
        return SimpleNamespace(**receipt, events=events, status=ended.code)


class Stub:
    """A core that answers by a function of (packet, direction, now)."""

    evictions = 0

    def __init__(self, decide: Callable[[bytes, Direction, float], Decision] = lambda *_: PASS) -> None:
        self.process = decide


@dataclass(frozen=True)
class Declares(Action[None]):
    """An action that may hand over these."""

    key: ClassVar[str] = "declares"
    values: tuple[Handover, ...] = ()

    def handovers(self, profile: Profile) -> tuple[Handover, ...]:
        return self.values


def policy(*actions: AnyAction, profile: str = "t22") -> Policy:
    """A policy with one rule per action, named r0, r1, …; a stub decides, so they match nothing."""
    rules = tuple(Rule(f"r{index}", Match(), action) for index, action in enumerate(actions))
    return Policy("stub", PROFILES[profile], rules)


def payload_of(raw: bytes) -> bytes:
    """What TCP or UDP carries in a packet without extension headers."""
    start, protocol = ((raw[0] & 15) * 4, raw[9]) if raw[0] >> 4 == 4 else (40, raw[6])
    if protocol == 17:
        return raw[start + 8 :]
    return raw[start + (raw[start + 12] >> 4) * 4 :] if protocol == 6 else b""


def _plain(device: str) -> None:
    """Segmentation, receive and checksum offloads off, as on the links of a real world."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (0x17, 0x15, 0x19, 0x1F, 0x24, 0x2C):  # STXCSUM SRXCSUM SSG STSO SGSO SGRO
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", device.encode(), value.buffer_info()[0])
            try:
                ioctl(any_socket, 0x8946, request)
            except OSError:
                continue


def echo(lab: Lab) -> None:
    """A server that sends back every datagram and every byte, both IP versions; ends with the world."""

    def body(ready: Callable[[], None]) -> None:
        datagrams, listeners, streams = [], [], []
        for family in (4, 6):
            datagrams.append(socket.socket(FAMILY[family], socket.SOCK_DGRAM))
            listeners.append(socket.socket(FAMILY[family], socket.SOCK_STREAM))
            listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for sock in (datagrams[-1], listeners[-1]):
                sock.bind((SERVER[family], PORT))
            listeners[-1].listen(64)
        ready()
        while True:
            for sock in select.select(datagrams + listeners + streams, [], [])[0]:
                if sock in datagrams:
                    data, sender = sock.recvfrom(65_535)
                    sock.sendto(data, sender)
                elif sock in listeners:
                    streams.append(sock.accept()[0])
                else:
                    try:
                        data = sock.recv(65_535)
                        sock.sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        streams.remove(sock)
                        sock.close()

    children = Children(lab.run_dir / "logs")
    children.spawn("echo", body, lab.ns["server"])
    children.wait_ready(30)


def ask(
    lab: Lab, family: int, *messages: bytes, sport: int = 4000, wait: float = 0.3, port: int = PORT
) -> list[bytes | None]:
    """Send datagrams one after the other from the client; the first reply to each, None for silence."""

    def body() -> list[bytes | None]:
        replies: list[bytes | None] = []
        with socket.socket(FAMILY[family], socket.SOCK_DGRAM) as sock:
            sock.bind((CLIENT[family], sport))
            sock.connect((SERVER[family], port))
            sock.settimeout(wait)
            for message in messages:
                sock.send(message)
                try:
                    replies.append(sock.recv(65_535))
                except OSError:
                    replies.append(None)
        return replies

    return lab.fork("client", body).result()


def with_censor(
    decide, *actions: Action, script: Callable[[Lab, Running], object], time_scale: float = 1.0, **more
):
    """In a new world with an echo server and a censor that decides by `decide`: run the script.

    Returns what the script returned and the censor's receipt, to be called from the test itself.
    """

    def body():
        lab = Lab()
        echo(lab)
        running = lab.censor(Stub(decide), policy(*actions), time_scale, **more)
        value = script(lab, running)
        return value, running.stop()

    return isolated_call(body)
