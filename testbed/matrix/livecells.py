"""The live matrix of our own strategies: one world, a phase for each box, every strategy in each.

The direct connection is tried in every phase, and every strategy in a phase without a box.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from testbed.evade.strategy import EvadePlan
from testbed.matrix.cell import Ending, MatrixCell, MatrixTry
from testbed.matrix.contender import contender
from testbed.matrix.livetry import LiveTry, try_all
from testbed.matrix.purebox import PureBox
from testbed.model import Phase, Placement, Scenario
from testbed.run.events import events
from testbed.run.open import StandingWorld, open_world
from testbed.scenario.loader import load

NAME: Final = "manifest.googlevideo.com"  # longer than pieces of 20 bytes, as the names in the traces
SIZE: Final = 30_000  # bytes: more than a policer's burst of 16 KiB; our choice
DEGRADED: Final = 0.5  # of the speed without the box: our choice
_FREE: Final = "free"
_FROM: Final = "mts"


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A strategy by its plan."""

    title: str
    plan: EvadePlan


def live_row(text: str, title: str = "") -> LiveRow | str:
    """A strategy as a row; a text says why it cannot be tried live. InputError for one that there is not."""
    given = contender(text, title)
    if given.kind != "tls" or given.first != contender("").first:
        return f"{given.name}: not tried live; the client is this Python's OpenSSL over TCP"
    return LiveRow(given.name, given.plan)


def at_operators(boxes: Sequence[PureBox]) -> tuple[list[PureBox], list[str]]:
    """The boxes that can be in the world, and a line for each other one."""
    here = [box for box in boxes if box.policy.profile.kind != "transit"]
    return here, [f"{box.key}: not tried live; it is not at an operator" for box in boxes if box not in here]


def live_cells(
    rows: Sequence[LiveRow], boxes: Sequence[PureBox], repeats: int = 1, jobs: int = 4
) -> list[MatrixCell]:
    """Every row against every box, in one world. Errors: those of `open_world`."""
    cells: dict[tuple[str, str], MatrixCell] = {}
    with (
        TemporaryDirectory(prefix="matrix-") as folder,
        open_world(bench_scenario(boxes), phase=_FREE, vantages=[_FROM], out=Path(folder) / "run") as world,
    ):
        free = _tried(world, NAME, rows, repeats, jobs)
        for box in boxes:
            world.phase(box.key)
            for row, cell in zip(rows, _column(world, box, rows, free, repeats, jobs), strict=True):
                cells[row.title, box.key] = cell
    return [cells[row.title, box.key] for row in rows for box in boxes]


def bench_scenario(boxes: Sequence[PureBox]) -> Scenario:
    """A world with one phase for each box, and one without."""
    base = load("free-network", tools=False)
    phases = {_FREE: Phase(title="no box")}
    for box in boxes:
        phases[box.key] = Phase((Placement(_FROM, box.policy, box.hop),), title=box.key)
    return replace(base, name="matrix", phases=phases, default_phase=_FREE, expect=(), path=None)


TriesByRow = Mapping[str, Sequence[LiveTry]]
_DIRECT: Final = LiveRow("", EvadePlan())


def _tried(
    world: StandingWorld, name: str, rows: Sequence[LiveRow], repeats: int, jobs: int
) -> dict[str, list[LiveTry]]:
    """What each row came to, and the direct connection, under the title ""."""
    every = [one for one in (_DIRECT, *rows) for _ in range(repeats)]
    made = world.call(partial(try_all, [one.plan for one in every], name, SIZE, jobs), vantage=_FROM)
    found: dict[str, list[LiveTry]] = {}
    for row, one in zip(every, made, strict=True):
        found.setdefault(row.title, []).append(one)
    return found


def _column(
    world: StandingWorld, box: PureBox, rows: Sequence[LiveRow], free: TriesByRow, repeats: int, jobs: int
) -> list[MatrixCell]:
    log = world.folder / "events.jsonl"
    start = log.stat().st_size if log.exists() else 0
    made = _tried(world, box.name, rows, repeats, jobs)
    noted = _by_port(list(events(log, start)) if log.exists() else [])
    usual = median([one.speed for one in free[""] if one.speed] or [0.0])
    direct = [_judged(one, noted, usual) for one in made[""]]
    cells = []
    for row in rows:
        if all(one.problem for one in free[row.title]):
            tries = [MatrixTry(Ending.BROKEN, reason=free[row.title][0].problem)] * repeats
        else:
            tries = [_judged(one, noted, usual) for one in made[row.title]]
            if not any(one.ending in (Ending.BLOCKED, Ending.DEGRADED) for one in direct):
                why = "the direct connection is not blocked"
                tries = [MatrixTry(Ending.INVALID, reason=why)] * repeats
        cells.append(MatrixCell(row.title, box.key, tuple(tries)))
    return cells


def _by_port(log: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for event in log:
        near = str(event.get("flow", "")).partition(" > ")[0]
        port = near.rpartition(":")[2]
        if port.isdecimal():
            found.setdefault(int(port), []).append(event)
    return found


def _judged(one: LiveTry, noted: Mapping[int, Sequence[Mapping[str, Any]]], usual: float) -> MatrixTry:
    mine = [event for port in one.ports for event in noted.get(port, ())]
    match = next((event for event in mine if event["kind"] == "match"), None)
    rule, packet = (match["rule"], _packet(match["detail"])) if match else ("", "")
    unread = next((str(event["detail"].get("why", "")) for event in mine if event["kind"] == "unread"), "")
    if one.problem:
        if match:
            return MatrixTry(Ending.BLOCKED, rule, packet, one.problem)
        return MatrixTry(Ending.UNEXPLAINED, reason=f"{one.problem}, and no rule was triggered")
    ending = Ending.DEGRADED if match and one.speed < DEGRADED * usual else Ending.THROUGH
    return MatrixTry(ending, rule, packet, unread, one.speed, usual)


def _packet(detail: Mapping[str, Any]) -> str:
    if "place" not in detail:
        return ""
    return f"{detail['bytes']} bytes at {detail['place']}"
