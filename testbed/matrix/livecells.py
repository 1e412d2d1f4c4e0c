"""The live matrix of our own strategies: one world, a phase for each box, every strategy in each.

The direct connection is tried in every phase, and every strategy in a phase without a box.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from testbed.matrix.cell import Ending, MatrixCell, MatrixTry
from testbed.matrix.contender import contender
from testbed.matrix.echclient import front_of
from testbed.matrix.kepttries import KeptTries, TryKey
from testbed.matrix.livejudge import LiveJudge
from testbed.matrix.livetry import Ask, LiveTry, try_all
from testbed.matrix.purebox import PureBox
from testbed.matrix.tcpclients import lacking
from testbed.matrix.voicecall import CALLED
from testbed.model import Phase, Placement, Scenario
from testbed.run.events import events
from testbed.run.open import StandingWorld, open_world
from testbed.scenario.loader import load
from testbed.scenario.tojson import to_json

NAME: Final = "manifest.googlevideo.com"  # longer than pieces of 20 bytes, as the names in the traces
SIZE: Final = 30_000  # bytes: more than a policer's burst of 16 KiB; our choice
_FREE: Final = "free"
_FROM: Final = "mts"


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A strategy with its client. `directly`: as what it is compared with is written."""

    title: str
    ask: Ask = field(default_factory=Ask)
    directly: str = ""


def live_row(text: str, title: str = "") -> LiveRow | str:
    """A strategy as a row; a text says why it cannot be tried live. InputError for one that there is not."""
    given = contender(text, title)
    word = text.split(maxsplit=1)[0] if text.split() else ""
    if given.datagrams:
        return LiveRow(given.name, Ask(given.kind, given.kind, word.partition(":")[2]), given.directly)
    if why := lacking(given.client):
        return f"{given.name}: not tried; {why}"
    return LiveRow(given.name, Ask(given.kind, given.client, plan=given.plan), given.directly)


def at_operators(boxes: Sequence[PureBox]) -> tuple[list[PureBox], list[str]]:
    """The boxes that can be in the world, and a line for each other one."""
    here = [box for box in boxes if box.policy.profile.kind != "transit"]
    return here, [f"{box.key}: not tried live; it is not at an operator" for box in boxes if box not in here]


def live_cells(
    rows: Sequence[LiveRow],
    boxes: Sequence[PureBox],
    repeats: int,
    kept: KeptTries,
    jobs: int = 4,
    seed: int | None = None,
) -> list[MatrixCell]:
    """Every row against every box, in one world. Tries that `kept` has are not made again.

    `seed`: of the boxes' draws; None: the world's own.

    Errors: those of `open_world`.
    """
    keys = {(row.title, box.key): _key(row, box) for row in rows for box in boxes}
    made = kept.all()
    waiting: dict[str, list[LiveRow]] = {}
    for row in rows:
        for box in boxes:
            if len(made.get(keys[row.title, box.key], ())) < repeats:
                waiting.setdefault(box.key, []).append(row)
    if waiting:
        asked = [row for row in rows if any(row in some for some in waiting.values())]
        columns = [(box, waiting[box.key]) for box in boxes if box.key in waiting]
        _measured(asked, columns, repeats, kept, jobs, seed)
        made = kept.all()
    return [
        MatrixCell(row.title, box.key, tuple(made[keys[row.title, box.key]][-repeats:]))
        for row in rows
        for box in boxes
    ]


def _measured(
    rows: Sequence[LiveRow],
    columns: Sequence[tuple[PureBox, Sequence[LiveRow]]],
    repeats: int,
    kept: KeptTries,
    jobs: int,
    seed: int | None,
) -> None:
    """Make the tries of these columns; each is kept when it is done."""
    scenario = bench_scenario([box for box, _ in columns])
    with (
        TemporaryDirectory(prefix="matrix-") as folder,
        open_world(
            scenario if seed is None else replace(scenario, seed=seed),
            phase=_FREE,
            vantages=[_FROM],
            out=Path(folder) / "run",
        ) as world,
    ):
        free = _tried(world, NAME, rows, repeats, jobs)
        for box, waiting in columns:
            world.phase(box.key)
            for cell in _column(world, box, waiting, free, repeats, jobs):
                key = next(_key(row, box) for row in waiting if row.title == cell.tool)
                for one in cell.tries:
                    kept.add(key, one)


def _key(row: LiveRow, box: PureBox) -> TryKey:
    return TryKey.made(row.title, box.key, repr(row.ask), contents(box))


def bench_scenario(boxes: Sequence[PureBox]) -> Scenario:
    """A world with one phase for each box, and one without."""
    base = load("free-network", tools=False)
    phases = {_FREE: Phase(title="no box")}
    for box in boxes:
        phases[box.key] = Phase((Placement(_FROM, box.policy, box.hop),), title=box.key)
    world = replace(base.world, hosts=(*base.world.hosts, CALLED, front_of(NAME)))
    return replace(base, name="matrix", world=world, phases=phases, default_phase=_FREE, expect=(), path=None)


def contents(box: PureBox) -> str:
    """The box as text, in which every change of its rules, place and inspectors shows."""
    return json.dumps([to_json(bench_scenario([box]))["phases"], box.name], default=str)


TriesByRow = Mapping[tuple[str, str], Sequence[LiveTry]]


def _tried(
    world: StandingWorld, name: str, rows: Sequence[LiveRow], repeats: int, jobs: int
) -> dict[tuple[str, str], list[LiveTry]]:
    """What each row came to, under ("", its title); each direct connection, under ("direct", its text)."""
    keyed = {("direct", row.directly): _direct(row.directly) for row in rows}
    keyed |= {("", row.title): row.ask for row in rows}
    every = [(key, ask) for key, ask in keyed.items() for _ in range(repeats)]
    made = world.call(partial(try_all, [ask for _, ask in every], name, SIZE, jobs), vantage=_FROM)
    found: dict[tuple[str, str], list[LiveTry]] = {}
    for (key, _), one in zip(every, made, strict=True):
        found.setdefault(key, []).append(one)
    return found


def _direct(text: str) -> Ask:
    row = live_row(text)
    assert isinstance(row, LiveRow)
    return row.ask


def _column(
    world: StandingWorld, box: PureBox, rows: Sequence[LiveRow], free: TriesByRow, repeats: int, jobs: int
) -> list[MatrixCell]:
    log = world.folder / "events.jsonl"
    start = log.stat().st_size if log.exists() else 0
    made = _tried(world, box.name, rows, repeats, jobs)
    judge = LiveJudge.of(events(log, start) if log.exists() else ())
    cells = []
    for row in rows:
        alone, key, kind = free["", row.title], ("direct", row.directly), row.ask.kind
        direct = [judge.judged(one, kind, free[key]) for one in made[key]]
        if all(one.problem for one in alone):
            tries = [MatrixTry(Ending.BROKEN, reason=alone[0].problem)] * repeats
        elif not any(one.ending in (Ending.BLOCKED, Ending.DEGRADED) for one in direct):
            why = "the direct connection is not blocked"
            tries = [MatrixTry(Ending.INVALID, reason=why)] * repeats
        else:
            tries = [judge.judged(one, kind, alone) for one in made["", row.title]]
        cells.append(MatrixCell(row.title, box.key, tuple(tries)))
    return cells
