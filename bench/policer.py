"""Whether a policer achieves the rate of the scenario, in each direction."""

import socket
import threading
import time
from functools import partial
from typing import Any

from bench.result import Budget, Quantity, Result
from bench.rig import FILTERED, FREE, GRACE, Rig, in_rig
from testbed.censor.actions.policer import Policer
from testbed.censor.match.quic import QuicForm
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profiles import PROFILES
from testbed.censor.units import BitsPerSecond
from testbed.model import FAR

# By the server's port: that of 2021 (IMC21 §5), and a fast one (our choice) to see the same arithmetic there.
RATES = {443: 140_000, 8443: 8_000_000}  # bit/s of IP packets
_FLOOD = 2.0  # times the rate is sent
_DRAIN = 3.0  # seconds before the count starts: the bucket, one second of the rate, must be empty by then
_HEADERS = 28  # bytes, IPv4 and UDP
# What the box of 2022 takes for QUIC: version 1 in bytes 1-4, more than 1,000 bytes (NTC1823 #10-11).
_DATAGRAM = b"\xc0\0\0\0\x01" + bytes(1195)
Counts = dict[str, dict[int, float]]  # "up" or "down" -> port -> bit/s


def measure(*, quick: bool) -> list[Result]:
    """Two lines for each rate, up and down."""
    seconds, free_seconds = (8.0, 1.0) if quick else (30.0, 5.0)
    flooded, free, receipt = in_rig(_policy(), partial(_work, seconds=seconds, free_seconds=free_seconds))
    return [
        _result(port, way, flooded[way][port], free[way][port], seconds, receipt)
        for port in RATES
        for way in ("up", "down")
    ]


def _policy() -> Policy:
    rules = tuple(
        Rule(f"policer-{port}", Match(quic=QuicForm(), ports=(port,)), Policer(BitsPerSecond(rate)))
        for port, rate in RATES.items()
    )
    return Policy("tspu", PROFILES["t22"], rules)


def _result(port: int, way: str, got: float, free: float, seconds: float, receipt: dict[str, Any]) -> Result:
    rate, unit, size = RATES[port], *(("Mbit/s", 1e6) if RATES[port] >= 1e6 else ("kbit/s", 1e3))
    kernel = receipt["rules"][f"policer-{port}"]["kernel"]
    note = (
        f"IP bytes that arrive in {seconds:g} s of a UDP flood at {_FLOOD:g} times the rate, both directions "
        f"at once, after {_DRAIN:g} s in which the bucket empties"
    )
    return Result(
        f"policer, {rate / size:g} {unit}, {way}",
        Quantity(got / size, unit),
        Quantity(free / size, unit),
        "the flood unfiltered",
        Quantity(got / rate),
        Budget(0.97, 1.03),
        note if (port, way) == (443, "up") else "",
        {"bit/s": got, "kernel": kernel},
    )


def _work(rig: Rig, seconds: float, free_seconds: float) -> tuple[Counts, Counts, dict[str, Any]]:
    free = _flood(rig, FREE, free_seconds)
    flooded = _flood(rig, FILTERED, seconds)
    return flooded, free, rig.receipt()


def _flood(rig: Rig, vantage: str, seconds: float) -> Counts:
    """Flood every port in both directions at once; bit/s of IP packets that arrived."""
    start = time.monotonic() + _DRAIN
    window = (start, start + seconds)
    far = {port: rig.start("far", partial(_far_end, port, window)) for port in RATES}
    time.sleep(0.3)  # until they are bound; a lost first datagram would only be sent again
    near = {port: rig.start(vantage, partial(_near_end, port, window)) for port in RATES}
    total = _DRAIN + seconds
    down = {port: child.result(total + GRACE) for port, child in near.items()}
    return {"up": {port: child.result(total + GRACE) for port, child in far.items()}, "down": down}


def _far_end(port: int, window: tuple[float, float]) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind((FAR[0], port))
        ours.settimeout(10)
        ours.connect(ours.recvfrom(2048)[1])
        return _exchange(ours, RATES[port], window)


def _near_end(port: int, window: tuple[float, float]) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.connect((FAR[0], port))
        return _exchange(ours, RATES[port], window)


def _exchange(ours: socket.socket, rate: int, window: tuple[float, float]) -> float:
    """Send the flood until the window ends; bit/s of IP packets received in the window."""
    start, end = window
    sender = threading.Thread(target=_send, args=(ours, _FLOOD * rate, end))
    sender.start()
    ours.settimeout(0.2)
    octets = 0
    while (now := time.monotonic()) < end:
        try:
            size = len(ours.recv(2048))
        except TimeoutError:
            continue
        except ConnectionRefusedError:  # the other end is done a moment before us
            break
        now = time.monotonic()
        if start <= now < end:
            octets += size + _HEADERS
    sender.join()
    return octets * 8 / (end - start)


def _send(ours: socket.socket, rate: float, end: float) -> None:
    """Datagrams at `rate` bit/s of IP packets, at most a few behind each other."""
    interval = (len(_DATAGRAM) + _HEADERS) * 8 / rate
    due = time.monotonic()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            ours.send(_DATAGRAM)
        except ConnectionRefusedError:
            return
        due = max(due + interval, time.monotonic() - 0.05)  # after a pause, no burst
