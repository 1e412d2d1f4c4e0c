"""The world that data-plane benchmarks run in: one path with a censor and one without, of the same hops.

Both operators stand in the same world at the same time, so rounds can take turns (A B A B …) and whatever
disturbs the machine disturbs both.
"""

import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from testbed.censor.policy import Policy
from testbed.errors import InvalidRunError
from testbed.run.folder import RunFolder
from testbed.run.laboratory import Laboratory
from testbed.scenario.loader import load
from testbed.scenario.model import Placement
from testbed.world import linux
from testbed.world.addressing import FAR
from testbed.world.netns import Namespace, enter, inside
from testbed.world.testing import in_world

T = TypeVar("T")

FILTERED, FREE = "mts", "rostelecom"  # both have five hops
HOP = 2  # where the censor stands
PORT = 443
SERVER = (FAR[0], PORT)  # the far side's own address: no site serves there
_GRACE = 30.0  # seconds beyond the expected end before a process of ours counts as stuck


@dataclass(frozen=True, slots=True)
class Place:
    """A laboratory at work, seen by a benchmark."""

    laboratory: Laboratory

    def start(self, node: str, body: Callable[[], Any]) -> "Child":
        """Run `body` in a process of its own at `node`."""
        return Child(self.laboratory.world.namespaces[node], body)

    def call(self, node: str, body: Callable[[], T], seconds: float = 0.0) -> T:
        """Run `body` at `node` and wait for its value; it should take `seconds`."""
        value: T = self.start(node, body).result(seconds)
        return value

    def censor_seconds(self) -> float:
        """CPU time that the censor's process has used so far, which other work hardly disturbs."""
        hop = os.fstat(self.laboratory.world.namespaces[f"{FILTERED}.hop{HOP}"].fd).st_ino
        ticks = 0
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "ns/net").stat().st_ino == hop:
                    # proc_pid_stat(5): utime and stime are the 14th and 15th field, the 2nd may hold spaces
                    fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
                    ticks += int(fields[11]) + int(fields[12])
            except FileNotFoundError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def receipt(self) -> dict[str, Any]:
        """Stop everything; the censor's receipt. InvalidRunError if the laboratory failed meanwhile."""
        problems = self.laboratory.finish()
        receipts = self.laboratory.folder.receipts()
        receipt: dict[str, Any] = receipts.get(f"{FILTERED}/tspu", {})
        if not receipt:
            problems.append("the censor left no receipt")
        for count in ("faults", "queue_dropped", "user_dropped"):
            if receipt.get(count):
                problems.append(f"the censor counted {count}: {receipt[count]}")
        if problems:
            raise InvalidRunError("; ".join(problems))
        return receipt


class Child:
    """A forked process and, at its end, its value."""

    def __init__(self, namespace: Namespace, body: Callable[[], Any]) -> None:
        reader, writer = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.pid = linux.fork()
        if self.pid == 0:
            os.close(reader)
            _live(namespace, body, writer)
        os.close(writer)
        self._reader = reader

    def result(self, seconds: float = 0.0) -> Any:
        """Its value; raises what it raised. InvalidRunError if it is not done well after `seconds`."""
        with os.fdopen(self._reader, "rb") as answer:
            if not select.select([answer], [], [], seconds + _GRACE)[0]:
                self.stop()
                raise InvalidRunError(f"a process of the benchmark was not done after {seconds + _GRACE:g} s")
            data = answer.read()
        os.waitpid(self.pid, 0)
        if not data:
            raise InvalidRunError("a process of the benchmark ended without an answer")
        value = pickle.loads(data)
        if isinstance(value, BaseException):
            raise value
        return value

    def stop(self) -> None:
        """End it, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _live(namespace: Namespace, body: Callable[[], Any], writer: int) -> None:
    value: Any = None
    try:
        linux.die_with_parent()
        enter(namespace)
        value = body()
    except BaseException as error:
        traceback.print_exc()
        value = error
    try:
        with os.fdopen(writer, "wb") as answer:
            answer.write(pickle.dumps(value))
        sys.stderr.flush()
    finally:
        os._exit(0)


def in_place(policy: Policy, work: Callable[[Place], T]) -> T:
    """Build the two paths, the policy on one of them, and do `work`; its (picklable) value."""

    def body() -> T:
        with tempfile.TemporaryDirectory() as folder, _standing(policy, Path(folder)) as place:
            return work(place)

    return in_world(body)


@contextmanager
def _standing(policy: Policy, folder: Path) -> Iterator[Place]:
    scenario = load("free-network")
    phase = scenario.default_phase
    scenario = replace(scenario, phases={phase: (Placement(FILTERED, policy, HOP),)})
    run = RunFolder.create(folder / "run", scenario.name)
    with Laboratory(scenario, phase, (FILTERED, FREE), run) as laboratory:
        time.sleep(2.0)  # the far side loads HTTP/3 a second after the start, on a CPU that we measure on
        yield Place(laboratory)


@contextmanager
def serving(place: Place, handle: Callable[[socket.socket], None], processes: int = 1) -> Iterator[None]:
    """A TCP server on `SERVER`: each process takes one connection after the other."""

    def serve(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    handle(connection)
                except OSError:  # the client went away: the round is over
                    continue

    with inside(place.laboratory.world.namespaces["far"]):
        listener = socket.create_server(SERVER, backlog=1024)
    with listener:
        servers = [place.start("far", partial(serve, listener)) for _ in range(processes)]
    try:
        yield
    finally:
        for server in servers:
            server.stop()
