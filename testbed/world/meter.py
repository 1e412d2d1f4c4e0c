"""How many bytes pass interfaces of the world: a process of its own reads the kernel's counters.

A line of RUN/rates.jsonl has what was added since the line before, for interfaces where anything was:
{"t": seconds since the run's start, "seconds": …, "bytes": {"mts.hop2": {"in": [received, sent], …}}}.
"""

import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from testbed.world.children import Body, Ready
from testbed.world.netns import Namespace, inside

FILE = "rates.jsonl"
METER = "meter"  # the service's name
_TICK = 0.25  # seconds between two readings; our choice: a policer's saw-tooth is seen
_MANY, _SLOW_TICK = 100, 1.0  # namespaces from which on it reads more seldom; our choice
_LARGEST = 64 << 20  # bytes of the file; our choice: half a day of a busy world

_Octets = dict[str, dict[str, list[int]]]  # namespace -> interface -> [received, sent]


def metering(run: Path, started_at: float, namespaces: Sequence[Namespace]) -> Body:
    """The meter of these namespaces, for `Children.spawn`. `started_at`: the run's start, monotonic seconds.

    It changes nothing and harms nothing: where it cannot write, it stops to.
    """

    def serve(ready: Ready) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        tables = {one.name: _table(one) for one in namespaces}
        ready()
        _measure(run / FILE, started_at, tables)

    return serve


def _table(namespace: Namespace) -> int:
    """The kernel's table of interfaces, open: it stays that of the namespace in which it was opened."""
    with inside(namespace):
        return os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC)


def _measure(file: Path, started_at: float, tables: dict[str, int]) -> None:
    tick = _TICK if len(tables) <= _MANY else _SLOW_TICK
    before, then = {name: counters(_read(fd)) for name, fd in tables.items()}, time.monotonic()
    quiet = True
    while signal.sigtimedwait({signal.SIGTERM}, tick) is None:
        now = time.monotonic()
        after = {name: counters(_read(fd)) for name, fd in tables.items()}
        added = differences(before, after)
        if added or not quiet:  # one line says that nothing passes any more
            line = {"t": round(now - started_at, 3), "seconds": round(now - then, 4), "bytes": added}
            with suppress(OSError):  # a full disk is not the meter's business
                _append(file, json.dumps(line) + "\n")
        quiet, before, then = not added, after, now


def _read(table: int) -> str:
    return os.pread(table, 1 << 18, 0).decode()


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as lines:
        if lines.tell() < _LARGEST:
            lines.write(line)


def counters(table: str) -> dict[str, list[int]]:
    """Interface -> bytes received and sent, from the text of /proc/net/dev (proc_pid_net(5)); not `lo`."""
    found = {}
    for line in table.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and len(words) > 8 and name.strip() != "lo":
            found[name.strip()] = [int(words[0]), int(words[8])]
    return found


def differences(before: _Octets, after: _Octets) -> _Octets:
    """What was added since, without interfaces where nothing was."""
    added: _Octets = {}
    for place, interfaces in after.items():
        for name, (received, sent) in interfaces.items():
            was = before.get(place, {}).get(name, [0, 0])
            if [received, sent] != was:
                added.setdefault(place, {})[name] = [received - was[0], sent - was[1]]
    return added
