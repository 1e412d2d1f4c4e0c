"""The live matrix of recipes: each box in a world, and every recipe in it as a scenario tries its tools."""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from testbed.matrix.cell import Ending, MatrixCell, MatrixTry
from testbed.matrix.kepttries import KeptTries, TryKey
from testbed.matrix.livecells import bench_scenario, contents
from testbed.matrix.purebox import PureBox
from testbed.matrix.recipejudge import recipe_try
from testbed.measurement.kinds import parse
from testbed.model import Circumvention, Host, Recipe, Scenario
from testbed.run.job import Job
from testbed.run.session import Session, carry_out
from testbed.run.toolbench import TRIES, BenchRow, bench_work
from testbed.scenario import library
from testbed.scenario.recipes import load_recipe
from testbed.world.linux import die_with_parent

_FROM: Final = "mts"
_TARGET: Final = "https://{}/bytes/60000"  # beyond a policer's burst
_QUIC: Final = "h3://{}/"
_ABROAD: Final = ("95.216.3.{}", "2a01:4f9:0:3::{:x}", 24940, "FI")  # Hetzner's, as other servers of tools
_CERTAIN: Final = frozenset(
    {Ending.THROUGH, Ending.UNSEEN, Ending.BLOCKED, Ending.SKIPPED, Ending.FLOOD, Ending.RESOLVER}
)
"""What a busy machine cannot make: an answer that came, or a failure by a rule that acted on the flow."""
_LASTING: Final = frozenset(
    {Ending.BROKEN, Ending.CRASH, Ending.PORT, Ending.LEFT, Ending.DEGRADED, Ending.INVALID}
)
"""What it does not make of every try."""
_WORLDS: Final = 2  # that add nothing, until a box is given up: our choice
_UNMADE: Final = "it was not tried"
_SIGNAL: Final = 128  # and more: a signal ended the run


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
    recipes: Sequence[Recipe], boxes: Sequence[PureBox], repeats: int, kept: KeptTries, jobs: int = 1
) -> list[MatrixCell]:
    """Every recipe against every box, in a world for each box, so many of these side by side.

    Tries that `kept` has are not made again. A cell that a world left out, as it became invalid, is tried in
    another one; after some it is invalid, for now: it is not kept.
    """
    column = partial(_column, recipes, repeats, kept)
    lost: dict[tuple[str, str], str] = {}
    for why in _side_by_side(column, boxes, min(jobs, os.cpu_count() or 1)):
        lost |= why
    made = kept.all()
    cells = []
    for recipe in recipes:
        for box in boxes:
            tries = made.get(_key(recipe, box), [])[:repeats]
            missing = MatrixTry(Ending.INVALID, reason=lost.get((recipe.name, box.key), _UNMADE))
            cells.append(MatrixCell(recipe.name, box.key, tuple(tries) or (missing,)))
    return cells


Lost = Mapping[tuple[str, str], str]
"""Recipe and box -> why nothing was found out."""


def _side_by_side(work: Callable[[PureBox], Lost], boxes: Sequence[PureBox], jobs: int) -> Iterable[Lost]:
    if jobs == 1 or len(boxes) == 1:
        return [work(box) for box in boxes]
    with multiprocessing.get_context("spawn").Pool(jobs, die_with_parent) as pool:  # ends all that run
        return list(pool.imap(work, boxes))


def _column(recipes: Sequence[Recipe], repeats: int, kept: KeptTries, box: PureBox) -> Lost:
    """Make every try against one box that is missing. What could not be made, and why."""
    ways = {one.name: _way(one, box, number) for number, one in enumerate(recipes, 1)}
    lost: dict[tuple[str, str], str] = {}
    before, fruitless = -1, 0
    while fruitless < _WORLDS:
        made = kept.all()
        waiting = {one.name: repeats - len(made.get(_key(one, box), ())) for one in recipes}
        order = [one.name for n in range(repeats) for one in recipes if n < waiting[one.name]]
        if not order:
            break
        fruitless = fruitless + 1 if len(order) == before else 0
        before = len(order)
        lost |= {(name, box.key): why for name, why in _world(box, ways, order, kept).items()}
    return lost


def _world(
    box: PureBox, ways: Mapping[str, Circumvention], order: Sequence[str], kept: KeptTries
) -> Mapping[str, str]:
    """Try them in a new world, in this order. Why some came to nothing."""
    tried = tuple(ways[name] for name in dict.fromkeys(order))
    scenario = replace(_with_old_quic(bench_scenario([box]), box.name), circumvention=tried)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        out, lost = Path(folder) / "run", Path(folder) / "lost.jsonl"

        def found(one: BenchRow) -> None:
            key = _key(ways[one.name].recipe, box)
            if one.left_over:
                kept.add(key, MatrixTry(Ending.LEFT, reason=one.left_over))
            elif one.row and not one.problems and one.sure:
                kept.add(key, recipe_try(one.row))
            else:
                with lost.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([one.name, _why_lost(one)]) + "\n")

        job = Job(scenario, phase=box.key, vantages=(_FROM,), circumvention=True, out=out)
        result = carry_out(Session.prepare(job), bench_work(order, _sure, found))
        if result.exit_status > _SIGNAL:
            raise KeyboardInterrupt
        rest = dict.fromkeys(order, result.problems[0].splitlines()[0]) if result.problems else {}
        own = dict(map(json.loads, lost.read_text("utf-8").splitlines())) if lost.exists() else {}
    return {**rest, **own}


def _with_old_quic(scenario: Scenario, name: str) -> Scenario:
    """The same, in which the server of that name speaks QUIC draft-29, too, for the recipe that uses it."""
    sites = tuple(
        replace(one, behaviour=replace(one.behaviour, quic_draft_29=True)) if name in one.names else one
        for one in scenario.world.sites
    )
    return replace(scenario, world=replace(scenario.world, sites=sites))


def _why_lost(one: BenchRow) -> str:
    if one.problems or one.row is None:
        return "; ".join(one.problems).splitlines()[0]
    return f"it came to '{recipe_try(one.row).ending}', and {one.busy}"


def _sure(tries: Sequence[BenchRow]) -> bool:
    """Whether the last says what the tool comes to: a busy machine makes no answers, and acts on no flow.

    Nor does it make the same of all tries, but for silence.
    """
    last, endings = tries[-1], [recipe_try(one.row).ending for one in tries if one.row]
    if not last.busy or not endings or endings[-1] in _CERTAIN:
        return True
    return len(endings) == TRIES and len({*endings}) == 1 and endings[-1] in _LASTING


def _key(recipe: Recipe, box: PureBox) -> TryKey:
    return TryKey.made(recipe.name, box.key, repr(replace(recipe, path=None)), contents(box))


def _way(recipe: Recipe, box: PureBox, number: int) -> Circumvention:
    four, six, asn, country = _ABROAD
    place = ((four.format(number),), (six.format(number),), asn, country)
    server = Host(f"tool{number}", (f"tool{number}.example.net",), *place) if recipe.server else None
    target = parse((_QUIC if recipe.passage.quic else _TARGET).format(box.name))
    return Circumvention(recipe.name, box.key, _FROM, target, recipe, server=server)
