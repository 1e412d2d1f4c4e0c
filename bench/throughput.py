"""Bulk throughput through a censor whose rules do not match, beside the same hops without one."""

import os
import socket
import tempfile
import time
from functools import partial
from statistics import median
from typing import Any

from bench.material import LISTED, client_hello, listing_policy
from bench.result import Budget, Quantity, Result, middle_half, round_ratios
from bench.rig import FILTERED, FREE, SERVER, Rig, in_rig, serving

_PIECE = 16 << 20  # bytes of the file that is sent again and again
_RAMP = 0.3  # seconds after the ClientHello until the clock starts


def measure(*, quick: bool) -> list[Result]:
    """One line: a download by sendfile over one TCP connection that begins with a ClientHello."""
    rounds, seconds = (4, 0.7) if quick else (24, 1.0)
    rates, receipt = in_rig(listing_policy(), partial(_work, rounds=rounds, seconds=seconds))
    measured, baseline = rates[FILTERED], rates[FREE]
    ratios = round_ratios(measured, baseline)
    seen = receipt["packets"] / (rounds + 1)
    note = (
        f"{rounds} rounds, in each {seconds:g} s on both paths; the ratio is the median of the rounds, "
        f"half of which are within {middle_half(ratios)}; one TCP download from port 443 after a real "
        f"ClientHello ({LISTED:,} names, none matching); of each flow's packets the core saw {seen:.0f}, the "
        "kernel the others"
    )
    details = {"filtered": measured, "free": baseline, "ratios": ratios, "receipt": receipt}
    return [
        Result(
            "bulk throughput, filter that does not match",
            Quantity(median(measured) / 1e9, "Gbit/s"),
            Quantity(median(baseline) / 1e9, "Gbit/s"),
            "no filter",
            Quantity(median(ratios)),
            Budget(least=0.98),
            note,
            details,
        )
    ]


def _work(rig: Rig, rounds: int, seconds: float) -> tuple[dict[str, list[float]], dict[str, Any]]:
    rates: dict[str, list[float]] = {FILTERED: [], FREE: []}
    hello = client_hello()
    with serving(rig, send_for_ever):
        for vantage in (FILTERED, FREE):  # warms caches and routes of both
            rig.call(vantage, partial(download, hello, 0.3), 1)
        for number in range(rounds):
            order = (FILTERED, FREE) if number % 2 else (FREE, FILTERED)
            for vantage in order:
                rates[vantage].append(rig.call(vantage, partial(download, hello, seconds), seconds))
    return rates, rig.receipt()


def send_for_ever(connection: socket.socket) -> None:
    """Wait for the ClientHello, then send until the client disconnects."""
    if not connection.recv(1 << 16):
        return
    with tempfile.TemporaryFile() as file:
        file.truncate(_PIECE)
        while True:
            at = 0
            while at < _PIECE:
                at += os.sendfile(connection.fileno(), file.fileno(), at, _PIECE - at)


def download(hello: bytes, seconds: float) -> float:
    """Bit/s of payload over `seconds`."""
    buffer = bytearray(1 << 20)
    with socket.create_connection(SERVER, timeout=10) as connection:
        connection.sendall(hello)
        begin = time.perf_counter()
        while time.perf_counter() - begin < _RAMP:
            connection.recv_into(buffer)
        received, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < seconds:
            received += connection.recv_into(buffer)
        return received * 8 / spent
