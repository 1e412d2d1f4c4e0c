"""Measuring many targets from many vantages: one child per vantage, a few threads in each.

Bulk transfers (/bytes/N, uploads) start when the vantage's other targets are done, so that they do not share
the processor with handshakes. Several bulk transfers of one vantage run together: policers per flow do not
notice. Where a rule limits the host as a whole, or the access link has a rate, pass `bulk_together=1`.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from testbed.errors import InvalidRunError
from testbed.probe import aim as aims
from testbed.probe.measure import measure
from testbed.probe.record import Measurement
from testbed.world.children import Call

TOGETHER = 8  # targets measured at once per vantage; our choice
BULK_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Job:
    """All targets of one vantage. `enter` moves the calling process into the vantage (namespace, files)."""

    vantage: str
    targets: Sequence[str]
    enter: Callable[[], None]
    resolver: tuple[str, ...] | None = None
    ca_file: str | None = None
    ipv: int = 4
    about: Mapping[str, Any] = field(default_factory=dict)  # probe_asn, probe_cc, probe_network_name


def survey(
    jobs: Sequence[Job], out: Path, *, timeout: float = 4.0, bulk_together: int = BULK_TOGETHER
) -> list[Measurement]:
    """Fork a child for each job, side by side, and return all measurements in the order of the jobs.

    Each measurement is appended to `out` as one line as soon as it is made. InvalidRunError if a child dies.
    Call it from a process without other threads: it forks.
    """
    for job in jobs:
        preload(job.targets)
    calls = [
        Call(partial(_measure, job, out, timeout, bulk_together), name=f"the probe in {job.vantage}")
        for job in jobs
    ]
    found: list[Measurement] = []
    dead: list[str] = []
    for call in calls:
        try:
            found += call.result()
        except Exception as error:
            dead.append(
                "\n".join([f"{call.child.name} died: {error}", *getattr(error, "__notes__", ())])[-2000:]
            )
    if dead:
        raise InvalidRunError("\n".join(dead))
    return found


def preload(targets: Sequence[str]) -> None:
    """Import what the targets need, once, before forking."""
    if any(aims.parse(target).kind == "h3" for target in targets):
        from testbed.probe import quic  # noqa: F401 - heavy


def _measure(job: Job, out: Path, timeout: float, bulk_together: int) -> list[Measurement]:
    job.enter()
    who = (job.vantage, job.targets, job.resolver, job.ca_file)
    return probe_vantage(*who, out, timeout, job.ipv, about=job.about, bulk_together=bulk_together)


def probe_vantage(
    vantage: str,
    targets: Sequence[str],
    resolver: tuple[str, ...] | None,
    ca_file: str | None,
    out: Path,
    timeout: float = 4.0,
    ipv: int = 4,
    *,
    about: Mapping[str, Any] | None = None,
    bulk_together: int = BULK_TOGETHER,
) -> list[Measurement]:
    """Measure `targets` from this process, which is already in the vantage; results in the targets' order.

    Every measurement is appended to `out` in one write, so that several processes may share the file.
    """
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def one(target: str) -> Measurement:
        made = measure(target, resolver=resolver, timeout=timeout, ipv=ipv, ca_file=ca_file, vantage=vantage,
                       about=about)  # fmt: skip
        os.write(file, (json.dumps(made.to_json(), ensure_ascii=False) + "\n").encode())
        return made

    try:
        done: dict[str, Measurement] = {}
        for bulk, together in ((False, TOGETHER), (True, bulk_together)):
            batch = [target for target in dict.fromkeys(targets) if aims.parse(target).bulk is bulk]
            with ThreadPoolExecutor(together) as pool:
                done |= zip(batch, pool.map(one, batch), strict=True)
    finally:
        os.close(file)
    return [done[target] for target in dict.fromkeys(targets)]
