"""What a capture and a live view cost: bulk throughput through a censor with one at work, and without."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live

from bench.material import client_hello, listing_policy
from bench.result import Budget, Quantity, Result, middle_half, round_ratios
from bench.rig import FILTERED, Rig, in_rig, serving
from bench.throughput import download, send_for_ever
from testbed.live.reader import RunReader
from testbed.report.watched import TICK, picture
from testbed.run.taps import capture_points
from testbed.world.children import Children, Ready
from testbed.world.meter import METER, metering
from testbed.world.ring import PACKETS, counts, recorder

_READY_WITHIN = 30.0  # seconds
_PACING = 47  # SO_MAX_PACING_RATE, bytes/s: TCP paces by itself
_WARMING = 0.4  # seconds, in which a capture finds out how much comes by
_USUAL = 100e6  # bit/s of a subscriber's line; our choice
_COUNTED = ("received", "dropped", "left_out")
_Measured = tuple[dict[bool, list[float]], dict[str, int]]


def measure(*, quick: bool) -> list[Result]:
    """Three lines: captured at a subscriber's speed and as fast as it goes; as fast as it goes, watched."""
    rounds, seconds = (4, 0.7) if quick else (20, 1.0)
    found, _ = in_rig(listing_policy(), partial(_work, rounds=rounds, seconds=seconds))
    usual, fastest, watched = found
    return [
        _line(f"download at {_USUAL / 1e6:.0f} Mbit/s, captured", usual, rounds, seconds, Budget(least=0.95)),
        _line("bulk throughput, captured", fastest, rounds, seconds, Budget(least=0.95)),
        _watched_line(watched, rounds, seconds),
    ]


def _watched_line(measured: _Measured, rounds: int, seconds: float) -> Result:
    rates, _ = measured
    ratios = round_ratios(rates[True], rates[False])
    note = (
        f"{rounds} rounds, in each {seconds:g} s with and without, half within {middle_half(ratios)}; "
        "rates are read at every hop and the state of the run is drawn, as `run --watch` does in a terminal"
    )
    return Result(
        "bulk throughput, watched",
        Quantity(median(rates[True]) / 1e9, "Gbit/s"),
        Quantity(median(rates[False]) / 1e9, "Gbit/s"),
        "no live view",
        Quantity(median(ratios)),
        Budget(least=0.95),
        note,
        {"watched": rates[True], "free": rates[False], "ratios": ratios},
    )


def _line(what: str, measured: _Measured, rounds: int, seconds: float, budget: Budget) -> Result:
    rates, counted = measured
    ratios = round_ratios(rates[True], rates[False])
    note = (
        f"{rounds} rounds, in each {seconds:g} s with and without; the ratio is the median of the rounds, "
        f"half of which are within {middle_half(ratios)}; at four points the capture received "
        f"{counted['received']:,} packets and itself lost {counted['dropped']:,} of them; it left out "
        f"{counted['left_out']:,} others"
    )
    return Result(
        what,
        Quantity(median(rates[True]) / 1e9, "Gbit/s"),
        Quantity(median(rates[False]) / 1e9, "Gbit/s"),
        "no capture",
        Quantity(median(ratios)),
        budget,
        note,
        {"captured": rates[True], "free": rates[False], "ratios": ratios, **counted},
    )


def _work(rig: Rig, rounds: int, seconds: float) -> tuple[list[_Measured], Any]:
    found = [_rates(rig, rounds, seconds, send, _recording) for send in (_send_paced, send_for_ever)]
    found.append(_rates(rig, rounds, seconds, send_for_ever, _watching))
    return found, rig.receipt()


def _rates(
    rig: Rig,
    rounds: int,
    seconds: float,
    send: Callable[[socket.socket], None],
    beside: Callable[[Rig], AbstractContextManager[dict[str, int]]],
) -> _Measured:
    rates: dict[bool, list[float]] = {True: [], False: []}
    counted = dict.fromkeys(_COUNTED, 0)
    hello = client_hello()
    with serving(rig, send):
        rig.call(FILTERED, partial(download, hello, 0.3), 1)
        for number in range(rounds):
            for captured in (True, False) if number % 2 else (False, True):
                with beside(rig) if captured else _idle() as sums:
                    rig.call(FILTERED, partial(download, hello, _WARMING), _WARMING)
                    rates[captured].append(rig.call(FILTERED, partial(download, hello, seconds), seconds))
                for what, count in sums.items():
                    counted[what] += count
    return rates, counted


def _send_paced(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, _PACING, int(_USUAL / 8))
    send_for_ever(connection)


@contextmanager
def _idle() -> Iterator[dict[str, int]]:
    yield dict.fromkeys(_COUNTED, 0)


@contextmanager
def _recording(rig: Rig) -> Iterator[dict[str, int]]:
    """The recorder of a run, at the points of the filtered operator alone; afterwards what it counted."""
    laboratory, sums = rig.laboratory, dict.fromkeys(_COUNTED, 0)
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


@contextmanager
def _watching(rig: Rig) -> Iterator[dict[str, int]]:
    """The meter of a run, and the process that draws what it and the censors write."""
    laboratory = rig.laboratory
    with Children() as services, Path(os.devnull).open("w") as nowhere:
        places = list(laboratory.world.namespaces.values())
        services.spawn(METER, metering(laboratory.folder.path, laboratory.started_at, places))
        services.spawn("view", partial(_draw, laboratory.folder.path, nowhere))
        services.wait_ready(_READY_WITHIN)
        yield dict.fromkeys(_COUNTED, 0)
        services.stop(_READY_WITHIN)


def _draw(folder: Path, where: TextIO, ready: Ready) -> None:
    reader = RunReader(folder, (FILTERED,))
    console = Console(file=where, force_terminal=True, width=120, height=40)
    with Live(console=console, auto_refresh=False) as live:
        ready()
        began = time.monotonic()
        while True:
            reader.look()
            live.update(
                picture(reader.state, "bench", time.monotonic() - began, reader.skipped, 40), refresh=True
            )
            time.sleep(TICK)
