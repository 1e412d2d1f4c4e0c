"""Many flows in one run: still valid at the end, as quick as at the beginning, and no larger.

TESTBED_FLOWS=1000000 testbed bench --only flows     # a million
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from bench.material import LISTED, client_hello, listed_names
from bench.result import Budget, Quantity, Result
from bench.rig import FILTERED, SERVER, Rig, in_rig, serving
from testbed.censor.actions.rst import InjectRst
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.errors import InvalidRunError

FLOWS: Final = int(os.environ.get("TESTBED_FLOWS", "60000"))
EVERY: Final = 100  # one flow of so many asks for the listed name
NAME: Final = "blocked.listed.example"
_QUICK: Final = 10_000
_CLIENTS: Final = 2
_PARTS: Final = 10
_AGAIN: Final = 1.01  # packets dropped for each flow, at most; our choice
_SLOWEST: Final = 100  # flows per second, at least: how long the load may take; our choice
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close by a reset, which leaves no port in TIME_WAIT


def resetting_policy() -> Policy:
    """A box that resets one of its many names, and remembers nothing of it."""
    names = NameList((*listed_names(LISTED), NAME))
    rule = Rule("register", Match(tls_sni=names), InjectRst(to="both", trigger="drop"))
    return Policy("tspu", PROFILES["leg-active"], (rule,))


def measure(*, quick: bool) -> list[Result]:
    """The rate of the last tenth of the flows beside that of the first, and the censor's growth."""
    flows = _QUICK if quick else FLOWS
    found = in_rig(resetting_policy(), partial(_work, flows=flows))
    first, last = found["rates"][0], found["rates"][-1]
    note = (
        f"{flows:,} flows by {_CLIENTS} clients, every {EVERY}th reset by its rule and counted by the "
        f"kernel; the receipt took {found['stop']:.1f} s; the censor grew by {found['grown']:.1f} MB"
    )
    return [
        Result(
            f"{flows:,} flows in a run, the last tenth",
            Quantity(last, "/s"),
            Quantity(first, "/s"),
            "the first tenth",
            Quantity(last / first),
            Budget(least=0.8),
            note,
            found,
        )
    ]


def _work(rig: Rig, flows: int) -> dict[str, Any]:
    before = resident()
    with serving(rig, answer, processes=_CLIENTS):
        share = flows // _CLIENTS
        clients = [rig.start(FILTERED, partial(_open_many, share)) for _ in range(_CLIENTS)]
        rates = [one.result(60 + share / _SLOWEST) for one in clients]
    grown = resident() - before
    begin = time.monotonic()
    receipt = rig.receipt()
    stop = time.monotonic() - begin
    if problem := not_acted(receipt, _CLIENTS * (share // EVERY)):
        raise InvalidRunError(f"flows: {problem}")
    together = [sum(each) for each in zip(*rates, strict=True)]
    return {"rates": together, "mean": fmean(together), "grown": grown, "stop": stop, "flows": flows}


def not_acted(receipt: Mapping[str, Any], asked: int) -> str:
    """What is wrong where so many flows asked for the listed name; "" if the rule acted on each.

    A client that a busy machine lets wait for its reset sends the ClientHello again, which is dropped, too.
    """
    acted = receipt["rules"]["register"]["kernel"]["drop"]
    if asked <= acted <= asked * _AGAIN:
        return ""
    return f"{asked} asked for the listed name, the kernel dropped {acted} packets"


def answer(connection: socket.socket) -> None:
    """One byte for a ClientHello."""
    connection.settimeout(10)
    if connection.recv(1 << 16):
        connection.sendall(b"\x16")
        connection.recv(1)


def _open_many(flows: int) -> list[float]:
    """Flows per second of each tenth."""
    plain, listed = client_hello(), client_hello(NAME)
    rates = []
    for part in range(_PARTS):
        begin = time.perf_counter()
        for number in range(part * flows // _PARTS, (part + 1) * flows // _PARTS):
            asks = number % EVERY == EVERY - 1
            if open_one(listed if asks else plain) == asks:
                raise InvalidRunError(f"flow {number}: {'answered' if asks else 'reset'}")
        rates.append(flows / _PARTS / (time.perf_counter() - begin))
    return rates


def open_one(hello: bytes) -> bool:
    """Connect, send a ClientHello, close; whether the server answered (False: it was reset)."""
    with socket.socket() as client:
        client.settimeout(10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        client.connect(SERVER)
        client.sendall(hello)
        try:
            return bool(client.recv(1))
        except ConnectionResetError:
            return False


def resident(name: str = f"{FILTERED}/tspu") -> float:
    """Megabytes that this world's processes of that name have in memory."""
    found = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "comm").read_text().strip() == name:
                lines = (process / "status").read_text().splitlines()
                found += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
        except OSError:
            continue
    return found / 1024
