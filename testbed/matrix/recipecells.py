"""The live matrix of recipes: each box in a world, and every recipe in it as a scenario tries its tools."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from testbed.errors import InvalidRunError
from testbed.matrix.cell import Ending, MatrixCell, MatrixTry
from testbed.matrix.livecells import bench_scenario
from testbed.matrix.purebox import PureBox
from testbed.matrix.recipejudge import recipe_try
from testbed.measurement.kinds import parse
from testbed.model import Circumvention, Host, Recipe
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.scenario import library
from testbed.scenario.recipes import load_recipe
from testbed.truth.wayjudge import WayRow, way_problems

_FROM: Final = "mts"
_TARGET: Final = "https://{}/bytes/60000"  # beyond a policer's burst
_QUIC: Final = "h3://{}/"
_ABROAD: Final = ("95.216.3.{}", "2a01:4f9:0:3::{:x}", 24940, "FI")  # Hetzner's, as other servers of tools
_CERTAIN: Final = (Ending.THROUGH, Ending.UNSEEN, Ending.BLOCKED, Ending.SKIPPED)
"""What a busy machine cannot make: an answer that came, or a failure by a rule that acted on the flow."""


def recipe_named(name: str) -> Recipe | None:
    """The recipe of that name or in that file, as a scenario would find it; None if there is none."""
    path = Path(name)
    if path.suffix != library.SUFFIX:
        found = library.find_recipe(name, Path())
        if isinstance(found, str):
            return None
        path = found
    return load_recipe(path)


def recipe_cells(
    recipes: Sequence[Recipe], boxes: Sequence[PureBox], repeats: int, jobs: int = 1
) -> list[MatrixCell]:
    """Every recipe against every box, each time in a new world, so many worlds side by side.

    A world that is invalid, as on a busy machine, is built once more, alone; what it then says counts.
    """
    rounds = [box for box in boxes for _ in range(repeats)]
    columns = _side_by_side(partial(_column, recipes), rounds, min(jobs, os.cpu_count() or 1))
    tries: dict[tuple[str, str], list[MatrixTry]] = {}
    for box, column in zip(rounds, columns, strict=True):
        for recipe, one in zip(recipes, column or _column(recipes, box, last=True) or (), strict=True):
            tries.setdefault((recipe.name, box.key), []).append(one)
    return [
        MatrixCell(recipe.name, box.key, tuple(tries[recipe.name, box.key]))
        for recipe in recipes
        for box in boxes
    ]


def _side_by_side(
    work: Callable[[PureBox], Sequence[MatrixTry] | None], boxes: Sequence[PureBox], jobs: int
) -> list[Sequence[MatrixTry] | None]:
    if jobs == 1 or len(boxes) == 1:
        return [work(box) for box in boxes]
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, boxes))


def _column(recipes: Sequence[Recipe], box: PureBox, *, last: bool = False) -> Sequence[MatrixTry] | None:
    """One try of each recipe in one world. None if the world says nothing of some, unless it is the last."""
    rows, problems, busy = _rows(recipes, box)
    found = {row.name: recipe_try(row) for row in rows}
    reason = "; ".join(line.splitlines()[0] for line in problems) or busy
    for recipe in recipes:
        if problems or (busy and found[recipe.name].ending not in _CERTAIN):
            found[recipe.name] = MatrixTry(Ending.INVALID, reason=reason)
            if not last:
                return None
    return [found[recipe.name] for recipe in recipes]


def _rows(recipes: Sequence[Recipe], box: PureBox) -> tuple[Sequence[WayRow], Sequence[str], str]:
    """What each recipe came to; what was wrong with the laboratory; whether the machine was busy."""
    ways = tuple(_way(recipe, box, number) for number, recipe in enumerate(recipes, 1))
    scenario = replace(bench_scenario([box]), circumvention=ways)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        out = Path(folder) / "run"
        result = execute(Job(scenario, phase=box.key, vantages=(_FROM,), circumvention=True, out=out))
    if not result.ways and not result.problems:
        raise InvalidRunError("no recipe was tried")
    busy = str(result.pressure) if result.pressure and result.pressure.busy else ""
    harmless = {*way_problems(result.ways), busy}
    return result.ways, [one for one in result.problems if one not in harmless], busy


def _way(recipe: Recipe, box: PureBox, number: int) -> Circumvention:
    four, six, asn, country = _ABROAD
    place = ((four.format(number),), (six.format(number),), asn, country)
    server = Host(f"tool{number}", (f"tool{number}.example.net",), *place) if recipe.server else None
    target = parse((_QUIC if recipe.passage.quic else _TARGET).format(box.name))
    return Circumvention(recipe.name, box.key, _FROM, target, recipe, server=server)
