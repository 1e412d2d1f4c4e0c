"""Making a data set: part by part, by several processes; what is there is not made again."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final

from testbed.capture.writer import ends_whole
from testbed.dataset.columns import TABLES
from testbed.dataset.datasheet import datasheet
from testbed.dataset.exchanges import Exchanges
from testbed.dataset.flowcut import LabelledFlow
from testbed.dataset.flowplan import BLOCK, OPTIONS, DatasetPart, DatasetPlan
from testbed.dataset.flowtables import ENDINGS, tables_of
from testbed.errors import InputError
from testbed.model import Scenario
from testbed.parquet.planfile import begin_or_go_on
from testbed.parquet.store import extra, opened, put_bytes, rows_in, values_in, views_of
from testbed.scenario.loader import load
from testbed.scenario.tojson import digest_of
from testbed.world import linux

_AGAIN: Final = "remove it: the command that made it makes it again"
_Tell = Callable[[int, int, int, float | None], None]  # flows that are made, of all; 0; seconds left


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """A data set in its folder, begun or whole."""

    folder: Path
    plan: DatasetPlan

    @classmethod
    def open(cls, folder: Path, plan: DatasetPlan) -> "DatasetFolder":
        """Begin in a new or empty folder, or go on with what is in it.

        Errors: UnsupportedError without pyarrow; InputError for a folder of another data set, or of another
        version, and for scenarios of which nothing can be drawn.
        """
        extra("pyarrow", "data")
        plan = replace(plan, digests=tuple(digest_of(_loaded(name)) for name in plan.scenarios))
        if _exchanges(plan).empty:
            raise InputError.at(
                "NAME", "nothing that they block can be asked for without a network", "name others"
            )
        begin_or_go_on(folder, plan.to_json(), "--out", OPTIONS)
        return cls(folder, plan)

    def missing(self) -> list[DatasetPart]:
        """The parts that are not there. InputError that names a file which was cut short."""
        return [one for one in self.plan.parts() if not self._whole(one)]

    def make(self, jobs: int, tell: _Tell = lambda *_: None) -> None:
        """Make what is missing, then the datasheet and the view. OSError names a full disk's file."""
        missing = self.missing()
        before = done = self.plan.flows - sum(one.flows for one in missing)
        began = time.monotonic()
        tell(done, self.plan.flows, 0, None)
        for part in self._made(missing, jobs):
            done += part.flows
            left = (time.monotonic() - began) / (done - before) * (self.plan.flows - done)
            tell(done, self.plan.flows, 0, left)
        put_bytes(self.folder / "view.sql", views_of(TABLES).encode())
        put_bytes(self.folder / "README.md", datasheet(self.folder, self.plan).encode())

    def _made(self, missing: list[DatasetPart], jobs: int) -> Iterator[DatasetPart]:
        if jobs == 1 or len(missing) < 2:
            for part in missing:
                yield make_part(self.folder, self.plan, part)
            return
        spawn, most = get_context("spawn"), min(jobs, len(missing))
        with ProcessPoolExecutor(most, spawn, initializer=_end_with, initargs=(os.getpid(),)) as pool:
            waiting = [pool.submit(make_part, self.folder, self.plan, part) for part in missing]
            try:
                for one in as_completed(waiting):
                    yield one.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _whole(self, part: DatasetPart) -> bool:
        """Whether a part's files are there, and whole."""
        files = {
            table: self.folder / part.file(table, ending)
            for table, ending in ENDINGS.items() if table != "pcap" or self.plan.pcap
        }  # fmt: skip
        if not all(one.exists() for one in files.values()) or rows_in(files["flows"]) != part.flows:
            return False
        packets = sum(sum(values_in(files["flows"], f"packets_{way}")) for way in ("up", "down"))
        if rows_in(files["packets"]) != packets:
            message = f"it has {rows_in(files['packets'])} of {packets} packets"
            raise InputError.at(str(files["packets"]), message, _AGAIN)
        if self.plan.pcap and not ends_whole(files["pcap"]):
            raise InputError.at(str(files["pcap"]), "cut short, or no pcapng", _AGAIN)
        return True


def _end_with(parent: int) -> None:
    """In a worker: end when the command does, however that is."""
    linux.die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def make_part(folder: Path, plan: DatasetPlan, part: DatasetPart) -> DatasetPart:
    """Make one part; its bytes follow from the plan."""
    made = tables_of(
        _drawn(plan, part), f"part {part.number} of a data set of testbed {plan.version}", plan.version
    )
    for table, ending in ENDINGS.items():
        if table != "pcap" or plan.pcap:
            put_bytes(folder / part.file(table, ending), made[table])
    return part


def view(folder: Path) -> Any:
    """A DuckDB connection with the views `flows` and `packets`. InputError for a folder without them."""
    return opened(folder, TABLES)


def _drawn(plan: DatasetPlan, part: DatasetPart) -> Iterator[tuple[int, LabelledFlow]]:
    """The flows of a part, each with its number."""
    chance = Random(f"{plan.seed} part {part.number}")
    exchanges = _exchanges(plan)
    for begin in range(0, part.flows, BLOCK):
        block = exchanges.block(chance)
        for number in range(begin, min(begin + BLOCK, part.flows)):
            yield part.first + number, next(block)


def _exchanges(plan: DatasetPlan) -> Exchanges:
    key = (plan.digests, plan.scenarios, plan.clients, plan.ipv)
    if key not in _KNOWN:
        scenarios = [_loaded(name) for name in plan.scenarios]
        for name, one, digest in zip(plan.scenarios, scenarios, plan.digests, strict=True):
            if digest_of(one) != digest:
                raise InputError.at(name, "it was changed meanwhile", "name a new folder to --out")
        _KNOWN[key] = Exchanges(scenarios, plan.clients, plan.ipv)
    return _KNOWN[key]


@cache
def _loaded(name: str) -> Scenario:
    return load(name)


_KNOWN: Final[dict[tuple[object, ...], Exchanges]] = {}  # of this process: loading takes longer than drawing
