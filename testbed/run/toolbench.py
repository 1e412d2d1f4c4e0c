"""Recipes on the bench: one after another in one world, each a row as soon as it is measured.

Each meets censors that remember nothing, and whose receipts and events are of its own flows alone: a flow of
an earlier one, whose packets the kernel may still send again, is left out.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from testbed.errors import InvalidRunError
from testbed.model import Circumvention
from testbed.run.detours import Direct, lacking_for, measure_direct, tried, way_trial
from testbed.run.events import events
from testbed.run.laboratory import Laboratory
from testbed.run.result import Findings
from testbed.run.session import Session, Work
from testbed.run.toolwatch import StillThereError
from testbed.truth.proofs import CensorReceipts
from testbed.truth.proofs import problems as receipt_problems
from testbed.truth.wayjudge import WayRow, WayTrial, judge_ways
from testbed.world import pressure
from testbed.world.children import Children

TRIES: Final = 3  # at most, of what a busy machine may have changed: our choice


@dataclass(frozen=True, slots=True)
class BenchRow:
    """What one try of a recipe came to, and what was wrong with the laboratory meanwhile."""

    name: str
    row: WayRow | None = None  # None: there are problems
    problems: tuple[str, ...] = ()
    busy: str = ""  # in words; "": the machine was calm
    left_over: str = ""  # what the tool left that cannot be removed
    sure: bool = True  # false: a busy machine may have made it


Sure = Callable[[Sequence[BenchRow]], bool]
"""Of the tries of a method until now, none of which was sure but perhaps the last: is it?"""


def bench_work(order: Sequence[str], sure: Sure, made: Callable[[BenchRow], None]) -> Work:
    """Try the methods of the scenario by their names, in this order, which may have one several times.

    `made` gets each row at once, in a process of the world. What is not `sure` is tried again, up to three
    times. A row after which the world is invalid is the last.
    """

    def work(session: Session, laboratory: Laboratory) -> Findings:
        lacking = {one.name: lacking_for(one, laboratory) for one in session.scenario.circumvention}
        for name in order:
            if why := lacking[name]:
                skipped = WayTrial(_way(session, name), skipped=why)
                made(BenchRow(name, judge_ways([skipped], {})[0]))
        bench = _Bench(session, laboratory)
        bench.try_all([name for name in order if not lacking[name]], sure, made)
        return Findings(problems=tuple(laboratory.finish()))

    return work


def _way(session: Session, name: str) -> Circumvention:
    return next(one for one in session.scenario.circumvention if one.name == name)


class _Bench:
    """The world, and what is known of it."""

    def __init__(self, session: Session, laboratory: Laboratory) -> None:
        self._session, self._laboratory = session, laboratory
        self._part = self._read = 0  # of receipts, and of events
        self._earlier: set[str] = set()  # flows

    def try_all(self, order: Sequence[str], sure: Sure, made: Callable[[BenchRow], None]) -> None:
        """Errors: InvalidRunError once the world is invalid."""
        ways = {name: _way(self._session, name) for name in order}
        if not ways:
            return
        direct = measure_direct(self._session, self._laboratory, [*ways.values()])
        before, _, problems = self._ended()
        if problems:
            raise InvalidRunError("; ".join(problems))
        for name in order:
            try:
                found = self._sure(ways[name], direct, before, sure)
            except StillThereError as error:
                made(BenchRow(name, left_over=str(error)))
                raise
            made(found)
            if found.problems:
                raise InvalidRunError("; ".join(found.problems))

    def _sure(self, way: Circumvention, direct: Direct, before: CensorReceipts, sure: Sure) -> BenchRow:
        found = [self._tried(way, direct, before)]
        while len(found) < TRIES and not (found[-1].problems or sure(found)):
            found.append(self._tried(way, direct, before))
        return replace(found[-1], sure=sure(found))

    def _tried(self, way: Circumvention, direct: Direct, before: CensorReceipts) -> BenchRow:
        folder = self._session.folder.path
        shutil.rmtree(folder / "ways" / way.name, ignore_errors=True)  # keys of an earlier try
        (folder / "ways").mkdir(exist_ok=True)
        with Children(folder / "logs") as timer:
            timer.spawn("ways.timer", pressure.service(folder / "ways"))
            outcomes = tried(self._session, self._laboratory, [way])
        busy = pressure.Pressure.read(folder / "ways")
        receipts, log, problems = self._ended()
        trial = way_trial(way, self._laboratory, direct, outcomes, log)
        (row,) = judge_ways([trial], receipts, before)
        if row.tool.flooded:
            problems = []  # a queue that overflowed is the tool's doing, and has been left behind
        return BenchRow(way.name, row, tuple(problems), str(busy) if busy and busy.busy else "")

    def _ended(self) -> tuple[CensorReceipts, Sequence[Mapping[str, Any]], list[str]]:
        """Start the censors anew. The receipts of those that ended, their events, and what went wrong.

        Events of flows that an earlier recipe had are left out.
        """
        laboratory, folder = self._laboratory, self._session.folder
        problems = laboratory.end_phase()
        receipts = folder.receipts()
        problems += receipt_problems(receipts, [one.name for one in laboratory.placements])
        self._part += 1
        folder.move_receipts(str(self._part))
        laboratory.begin_phase(laboratory.phase)
        log = list(events(folder.events, self._read))
        self._read = folder.events.stat().st_size
        own = [one for one in log if one["flow"] not in self._earlier]
        self._earlier |= {str(one["flow"]) for one in log if one["flow"]}
        return receipts, own, problems
