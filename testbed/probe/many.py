"""Measure many targets from many vantages: one child per vantage, a few threads in each.

Bulk transfers (/bytes/N, uploads) start when the vantage's other targets are done, so that they do not share
the processor with handshakes. Several bulk transfers of one vantage run together: policers per flow are not
affected. Where a rule limits the host as a whole, or the access link has a rate, pass `bulk_together=1`.
"""

import importlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from testbed.errors import InvalidRunError
from testbed.measurement.ooni import Measurement
from testbed.measurement.passage import DIRECT, Passage
from testbed.measurement.target import Target
from testbed.probe.log import ProbePlace, utc_now
from testbed.probe.measure import measure
from testbed.world.children import Call

TOGETHER = 8  # targets measured at once per vantage; our choice
BULK_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class VantageTargets:
    """What to measure from one vantage. `enter` moves the calling process there (namespace, files)."""

    vantage: str
    targets: Sequence[Target]
    enter: Callable[[], None]
    resolver: tuple[str, ...] | None = None
    ca_file: str | None = None
    ipv: int = 4
    place: ProbePlace = ProbePlace()  # noqa: RUF009  a frozen value; its vantage is this one
    passage: Passage = DIRECT


def measure_many(
    tasks: Sequence[VantageTargets], out: Path, *, timeout: float = 4.0, bulk_together: int = BULK_TOGETHER
) -> list[Measurement]:
    """Fork a child for each vantage, side by side, and return all measurements in the order of the tasks.

    Each measurement is appended to `out` as one line as soon as it is made. InvalidRunError if a child dies.
    Call it from a process without other threads: it forks.
    """
    for task in tasks:
        preload(task.targets)
    calls = [
        Call(partial(_measure, task, out, timeout, bulk_together), name=f"the probe in {task.vantage}")
        for task in tasks
    ]
    made: list[Measurement] = []
    dead: list[str] = []
    for call in calls:
        try:
            made += call.result()
        except Exception as error:
            dead.append(
                "\n".join([f"{call.child.name} died: {error}", *getattr(error, "__notes__", ())])[-2000:]
            )
    if dead:
        raise InvalidRunError("\n".join(dead))
    return made


def preload(targets: Iterable[Target]) -> None:
    """Import the slow modules that the targets' kinds need, once, before forking."""
    for module in {module for target in targets for module in target.kind.modules}:
        importlib.import_module(module)


def _measure(task: VantageTargets, out: Path, timeout: float, bulk_together: int) -> list[Measurement]:
    task.enter()
    return measure_here(task, out, timeout=timeout, bulk_together=bulk_together)


def measure_here(
    task: VantageTargets, out: Path, *, timeout: float = 4.0, bulk_together: int = BULK_TOGETHER
) -> list[Measurement]:
    """Measure a vantage's targets from this process, which is already there; results in the targets' order.

    A target that is listed several times is measured as often.
    Every measurement is appended to `out` in one write, so that several processes may share the file.
    """
    begun = task.place.test_start_time or utc_now()
    place = replace(task.place, vantage=task.vantage, test_start_time=begun)
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def one(target: Target) -> Measurement:
        made = measure(
            target,
            resolver=task.resolver,
            timeout=timeout,
            ipv=task.ipv,
            ca_file=task.ca_file,
            place=place,
            passage=task.passage,
        )
        os.write(file, (json.dumps(made.to_json(), ensure_ascii=False) + "\n").encode())
        return made

    try:
        done: dict[int, Measurement] = {}
        for bulk, together in ((False, TOGETHER), (True, bulk_together)):
            batch = [place for place, target in enumerate(task.targets) if target.bulk is bulk]
            with ThreadPoolExecutor(together) as pool:
                done |= zip(batch, pool.map(lambda place: one(task.targets[place]), batch), strict=True)
    finally:
        os.close(file)
    return [done[place] for place in sorted(done)]
