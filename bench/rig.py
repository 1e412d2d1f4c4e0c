"""The world that data-plane benchmarks run in: one path with a censor and one without, of the same hops.

Both operators are in the same world at the same time, so rounds can alternate (A B A B …) and a disturbance
of the machine affects both.
"""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from testbed.censor.policy import Policy
from testbed.errors import InvalidRunError
from testbed.model import FAR, Phase, Placement
from testbed.run.folder import RunFolder
from testbed.run.laboratory import Laboratory
from testbed.run.rulesets import problem_of
from testbed.scenario.loader import load
from testbed.world.children import Call
from testbed.world.enter import isolated_call
from testbed.world.netns import inside

T = TypeVar("T")

FILTERED, FREE = "mts", "rostelecom"  # both have five hops
HOP = 2  # of the censor
PORT = 443
SERVER = (FAR[0], PORT)  # the far side's own address: no site uses it
GRACE = 30.0  # seconds beyond the expected end before a process counts as stuck


@dataclass(frozen=True, slots=True)
class Rig:
    """A running laboratory with the two paths."""

    laboratory: Laboratory
    changed: set[str] = field(default_factory=set)  # routers whose rules the benchmark itself changes

    def start(self, node: str, body: Callable[[], T]) -> Call[T]:
        """Run `body` in its own process at `node`."""
        return Call(body, namespace=self.laboratory.world.namespaces[node], name="a process of the benchmark")

    def call(self, node: str, body: Callable[[], T], seconds: float = 0.0) -> T:
        """Run `body` at `node` and wait for its value; it should take `seconds`."""
        return self.start(node, body).result(seconds + GRACE)

    def seconds_at(self, node: str) -> float:
        """CPU time that the processes at `node` have used so far, almost independent of other load."""
        hop = os.fstat(self.laboratory.world.namespaces[node].fd).st_ino
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
        """Stop everything and return the censor's receipt. InvalidRunError if the laboratory failed."""
        ours = {problem_of(router) for router in self.changed}
        problems = [one for one in self.laboratory.finish() if one not in ours]
        receipts = self.laboratory.folder.receipts()
        receipt: dict[str, Any] = receipts.get(f"{FILTERED}/tspu", {})
        if not receipt:
            problems.append("the censor left no receipt")
        bad = [name for name in ("faults", "queue_dropped", "user_dropped") if receipt.get(name)]
        problems += [f"the censor counted {name}: {receipt[name]}" for name in bad]
        if problems:
            raise InvalidRunError("; ".join(problems))
        return receipt


def in_rig(policy: Policy, work: Callable[[Rig], T]) -> T:
    """Build the two paths, one with the policy, and return the (picklable) value of `work`."""

    def body() -> T:
        with tempfile.TemporaryDirectory() as folder, _standing(policy, Path(folder)) as rig:
            return work(rig)

    return isolated_call(body)


@contextmanager
def _standing(policy: Policy, folder: Path) -> Iterator[Rig]:
    scenario = load("free-network")
    phase = scenario.default_phase
    scenario = replace(scenario, phases={phase: Phase((Placement(FILTERED, policy, HOP),))})
    run = RunFolder.create(folder / "run", scenario.name)
    with Laboratory(scenario, phase, (FILTERED, FREE), run) as laboratory:
        time.sleep(2.0)  # the far side loads HTTP/3 a second after the start, on a CPU that we measure on
        yield Rig(laboratory)


@contextmanager
def serving(rig: Rig, handle: Callable[[socket.socket], None], processes: int = 1) -> Iterator[None]:
    """A TCP server on `SERVER`: each process serves one connection after the other."""

    def serve(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    handle(connection)
                except OSError:  # the client went away: the round is over
                    continue

    with inside(rig.laboratory.world.namespaces["far"]):
        listener = socket.create_server(SERVER, backlog=1024)
    with listener:
        servers = [rig.start("far", partial(serve, listener)) for _ in range(processes)]
    try:
        yield
    finally:
        for server in servers:
            server.kill()
