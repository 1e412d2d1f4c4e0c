"""Another engine beside ours: python tools/beside.py -- PROGRAM … {capture} …

Openings of TLS connections that a second of CPU time is enough for, SYN to ClientHello, both read from a pcap
file. The other's rules have to look for blocked.listed.example, which one connection in a hundred asks for,
and its output has to name it: a program that does nothing is no rival.

    python tools/beside.py -- OpenGFW -c config.yaml -p {capture} rules.yaml
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from scapy.utils import RawPcapWriter

from bench.material import client_hello, opening, segment
from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, PSH
from testbed.compiled import CHOICE
from testbed.compiled.find import in_use
from testbed.errors import InvalidRunError

NAME = "blocked.listed.example"
EVERY = 100  # one connection of so many asks for it
FEW, MANY = 2_000, 22_000  # connections in the two captures: what the second takes more is theirs
ROUNDS = 3
RULES = f"rules: [{{name: listed, match: {{tls.sni: [{NAME}]}}, action: drop}}]\n"
ETHERNET = bytes.fromhex("020000000001 020000000002 0800")
OURS = (
    *(sys.executable, "-c", "from testbed.cli.main import main; main()", "replay", "{capture}"),
    *("--rules", "{rules}", "--profile", "t22", "--inside", "91.76.0.0/16", "--json"),
)


def write_openings(path: Path, number: int) -> None:
    """A capture of so many connections, one after the other, as far as the ClientHello."""
    plain, listed = client_hello(), client_hello(NAME)
    with RawPcapWriter(str(path), linktype=1, nano=False) as file:
        for one in range(number):
            hello = listed if one % EVERY == EVERY - 1 else plain
            port = 10_000 + one
            asked = segment(port, Direction.UP, PSH | ACK, hello)
            for raw in (*(raw for raw, _ in opening(port)), asked):
                file.write(ETHERNET + raw)


def seconds_of(command: Sequence[str], places: Mapping[str, str], environment: Mapping[str, str]) -> float:
    """CPU seconds of the command and all that it starts. InvalidRunError if it does not name the site."""
    words = [word.format(**places) for word in command]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=600, env={**os.environ, **environment}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or NAME not in done.stdout + done.stderr:
        ended = f"exit status {done.returncode}, and no word of {NAME}"
        raise InvalidRunError(f"{words[0]}: {ended}: {done.stderr[-300:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


Rival = tuple[Sequence[str], Mapping[str, str]]  # a command, and what its environment has besides


def measure(rivals: Mapping[str, Rival], few: int, many: int) -> dict[str, float]:
    """Connections per second of CPU time of each, the median of rounds in turns."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder, "rules.yaml")
        rules.write_text(RULES, "utf-8")
        captures = [Path(folder, f"{number}.pcap") for number in (few, many)]
        for path, number in zip(captures, (few, many), strict=True):
            write_openings(path, number)
        for _ in range(ROUNDS):
            for name, (command, environment) in rivals.items():
                small, large = (
                    seconds_of(command, {"capture": str(path), "rules": str(rules)}, environment)
                    for path in captures
                )
                found[name].append((many - few) / (large - small))
    return {name: median(rates) for name, rates in found.items()}


def main(arguments: Sequence[str]) -> None:
    """Print a line for each."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("command", nargs="+", help="the other program, with {capture} where its file goes")
    command = parser.parse_args(arguments).command
    rivals: dict[str, Rival] = {Path(command[0]).name: (command, {})}
    rivals["testbed replay"] = (OURS, {CHOICE: "0"})
    if in_use():
        rivals["testbed replay, compiled"] = (OURS, {})
    rates = measure(rivals, FEW, MANY)
    ours = rates["testbed replay"]
    for name, rate in rates.items():
        print(f"{name:28}{rate:10,.0f} connections in a second of CPU time{rate / ours:8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
