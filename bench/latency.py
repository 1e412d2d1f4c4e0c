"""The latency that a censor adds to a handshake that it inspects."""

import socket
import time
from functools import partial
from statistics import median
from typing import Any

from bench.material import LISTED, client_hello, listing_policy
from bench.result import Budget, Quantity, Result
from bench.rig import FILTERED, FREE, SERVER, Rig, in_rig, serving

_BATCH = 25  # handshakes per turn of a path


def measure(*, quick: bool) -> list[Result]:
    """One line: TCP connect and ClientHello until the server's first byte, median, filtered less free."""
    count = 200 if quick else 2_000
    times, receipt = in_rig(listing_policy(), partial(_work, count=count))
    measured, baseline = median(times[FILTERED]), median(times[FREE])
    seen = receipt["packets"] / count * _BATCH / (_BATCH + 1)
    note = (
        f"TCP connect and ClientHello until the server's first byte, medians of {count:,} each, in turns of "
        f"{_BATCH}; the server answers at once, without cryptography; the core saw {seen:.1f} packets of "
        f"each; {LISTED:,} names, none matching"
    )
    details = {path: _spread(values) for path, values in times.items()}
    return [
        Result(
            "added latency, inspected handshake",
            Quantity(measured * 1000, "ms"),
            Quantity(baseline * 1000, "ms"),
            "no filter",
            Quantity((measured - baseline) / baseline),
            Budget(most=0.6),
            note,
            details,
        )
    ]


def _work(rig: Rig, count: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    times: dict[str, list[float]] = {FILTERED: [], FREE: []}
    hello = client_hello()
    with serving(rig, _answer):
        for _ in range(count // _BATCH):
            for vantage in times:
                times[vantage] += rig.call(vantage, partial(_handshakes, hello))
    return times, rig.receipt()


def _answer(connection: socket.socket) -> None:
    """One byte for a ClientHello."""
    connection.settimeout(10)
    if connection.recv(1 << 16):
        connection.sendall(b"\x16")
        connection.recv(1)  # let the client close first


def _handshakes(hello: bytes) -> list[float]:
    """Seconds of each handshake of a batch. The first of a process warms caches and is not counted."""
    return [_handshake(hello) for _ in range(_BATCH + 1)][1:]


def _handshake(hello: bytes) -> float:
    with socket.socket() as client:
        client.settimeout(10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        client.connect(SERVER)
        client.sendall(hello)
        client.recv(1)
        return time.perf_counter() - begin


def _spread(values: list[float]) -> dict[str, float]:
    """Milliseconds, as percentiles."""
    ranked = sorted(values)
    return {f"p{p}": round(ranked[len(ranked) * p // 100] * 1000, 4) for p in (5, 25, 50, 75, 95)}
