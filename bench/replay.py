"""`testbed replay` as a whole command, on a capture of passed flows."""

import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.core import data_of_decided_flows
from bench.material import opening, segment
from bench.result import Budget, Quantity, Result
from bench.start import TESTBED
from testbed.capture.file import open_capture
from testbed.capture.writer import PcapngWriter
from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, PSH
from testbed.errors import InvalidRunError

_RULES = "rules: [{name: r, match: {tls.sni: [x.example]}, action: drop}]\n"
_FLOWS = 200
_ETHERNET = bytes.fromhex("020000000001 020000000002 0800")
_UNREADABLE = bytes(range(0, 256, 2)) * 8  # ends the inspection of a flow at once


def measure(*, quick: bool) -> list[Result]:
    """One line: packets per second, start-up included."""
    rounds, packets = (3, 200_000) if quick else (7, 600_000)
    with tempfile.TemporaryDirectory() as folder:
        capture, rules = Path(folder, "passed.pcapng"), Path(folder, "rules.yaml")
        rules.write_text(_RULES, "utf-8")
        count = write(capture, packets)
        timed = [(_replayed(capture, rules, count), _read(capture)) for _ in range(rounds)]
    rates = [count / seconds for seconds, _ in timed]
    reading = [count / seconds for _, seconds in timed]
    replayed, read = Quantity(median(rates), "/s"), Quantity(median(reading), "/s")
    note = (
        f"median of {rounds} rounds of {count:,} packets, {_FLOWS} flows that the box no longer inspects; "
        "the whole process, start-up and summary included"
    )
    return [
        Result(
            "replay: packets of passed flows", replayed, read, "reading the file only",
            Quantity(read.value / replayed.value), Budget(most=5), note,
            {"rounds": [round(rate) for rate in rates]},
        )
    ]  # fmt: skip


def write(path: Path, packets: int) -> int:
    """Write a capture of this many packets of flows with an unreadable first payload; return their number."""
    made = [raw for number in range(_FLOWS) for raw, _ in opening(20_000 + number)]
    made += [segment(20_000 + n, Direction.UP, PSH | ACK, _UNREADABLE) for n in range(_FLOWS)]
    made += [raw for raw, _ in data_of_decided_flows(packets)]
    with path.open("wb", buffering=1 << 20) as file:
        writer = PcapngWriter(file)
        for number, raw in enumerate(made):
            writer.packet("line", 1, 10**18 + number * 50_000, _ETHERNET + raw, 14 + len(raw))
    return len(made)


def _replayed(capture: Path, rules: Path, count: int) -> float:
    command = [*TESTBED, "replay", str(capture), "--profile", "t22", "--rules", str(rules)]
    command += ["--inside", "91.76.0.0/16"]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    seconds = time.perf_counter() - begin
    if done.returncode or f"{count:,} of them judged, 0 affected" not in done.stdout:
        raise InvalidRunError(f"replay: {done.stdout} {done.stderr}")
    return seconds


def _read(capture: Path) -> float:
    begin = time.perf_counter()
    with open_capture(str(capture)) as packets:
        for _ in packets:
            pass
    return time.perf_counter() - begin
