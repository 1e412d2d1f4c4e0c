"""What a capture costs: bulk throughput through a censor with a recorder of packets at work, and without."""

import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.material import client_hello, listing_policy
from bench.result import Budget, Quantity, Result, middle_half, round_ratios
from bench.rig import FILTERED, Rig, in_rig, serving
from bench.throughput import download, send_for_ever
from testbed.run.taps import capture_points
from testbed.world.children import Children
from testbed.world.ring import PACKETS, counts, recorder

_READY_WITHIN = 30.0  # seconds
_PACING = 47  # SO_MAX_PACING_RATE, bytes/s: TCP paces by itself
_USUAL = 100e6  # bit/s of a subscriber's line; our choice
_Measured = tuple[dict[bool, list[float]], int, int]


def measure(*, quick: bool) -> list[Result]:
    """Two lines: a download through a censor at a subscriber's speed, and as fast as it goes."""
    rounds, seconds = (4, 0.7) if quick else (12, 1.0)
    found, _ = in_rig(listing_policy(), partial(_work, rounds=rounds, seconds=seconds))
    usual, fastest = found
    return [
        _line(f"download at {_USUAL / 1e6:.0f} Mbit/s, captured", usual, rounds, seconds, Budget(least=0.95)),
        _line("bulk throughput, captured", fastest, rounds, seconds, Budget()),
    ]


def _line(what: str, measured: _Measured, rounds: int, seconds: float, budget: Budget) -> Result:
    rates, lost, received = measured
    ratios = round_ratios(rates[True], rates[False])
    note = (
        f"{rounds} rounds, in each {seconds:g} s with and without; the ratio is the median of the rounds, "
        f"half of which are within {middle_half(ratios)}; {received:,} packets came by the points, of which "
        f"the capture itself lost {lost:,}; every packet is copied at four of them"
    )
    return Result(
        what,
        Quantity(median(rates[True]) / 1e9, "Gbit/s"),
        Quantity(median(rates[False]) / 1e9, "Gbit/s"),
        "no capture",
        Quantity(median(ratios)),
        budget,
        note,
        {"captured": rates[True], "free": rates[False], "ratios": ratios, "lost": lost, "received": received},
    )


def _work(rig: Rig, rounds: int, seconds: float) -> tuple[tuple[_Measured, _Measured], Any]:
    found = [_rates(rig, rounds, seconds, send) for send in (_send_paced, send_for_ever)]
    return (found[0], found[1]), rig.receipt()


def _rates(rig: Rig, rounds: int, seconds: float, send: Callable[[socket.socket], None]) -> _Measured:
    rates: dict[bool, list[float]] = {True: [], False: []}
    lost = received = 0
    hello = client_hello()
    with serving(rig, send):
        rig.call(FILTERED, partial(download, hello, 0.3), 1)
        for number in range(rounds):
            for captured in (True, False) if number % 2 else (False, True):
                with _recording(rig) if captured else _idle() as sums:
                    rates[captured].append(rig.call(FILTERED, partial(download, hello, seconds), seconds))
                lost, received = lost + sums["dropped"], received + sums["received"]
    return rates, lost, received


def _send_paced(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, _PACING, int(_USUAL / 8))
    send_for_ever(connection)


@contextmanager
def _idle() -> Iterator[dict[str, int]]:
    yield {"received": 0, "dropped": 0}


@contextmanager
def _recording(rig: Rig) -> Iterator[dict[str, int]]:
    """The recorder of a run, at the points of the filtered operator alone; afterwards what it counted."""
    laboratory, sums = rig.laboratory, {"received": 0, "dropped": 0}
    points = capture_points(laboratory.world, (FILTERED,), laboratory.placements)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Children() as services:
        services.spawn("recorder", recorder(points, Path(folder)))
        services.wait_ready(_READY_WITHIN)
        yield sums
        services.stop(_READY_WITHIN)
        for one in counts(Path(folder), len(points)):
            for what, number in one.items():
                sums[what] += number
        Path(folder, PACKETS).unlink(missing_ok=True)
