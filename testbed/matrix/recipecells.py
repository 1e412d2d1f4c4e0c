"""The live matrix of recipes: each box in a world, and every recipe in it as a scenario tries its tools."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from testbed.errors import InvalidRunError
from testbed.matrix.cell import Ending, MatrixCell, MatrixTry
from testbed.matrix.livecells import bench_scenario
from testbed.matrix.purebox import PureBox
from testbed.measurement.kinds import parse
from testbed.model import Circumvention, Host, Recipe
from testbed.run.execute import execute
from testbed.run.job import Job
from testbed.scenario import library
from testbed.scenario.recipes import load_recipe
from testbed.truth.wayjudge import NOT_READY, WayRow

_FROM: Final = "mts"
_TARGET: Final = "https://{}/bytes/60000"  # beyond a policer's burst
_QUIC: Final = "h3://{}/"
_ABROAD: Final = ("95.216.3.{}", "2a01:4f9:0:3::{:x}", 24940, "FI")  # Hetzner's, as other servers of tools
_ELSEWHERE: Final = re.compile(r"it listens on (?!nothing)")


def recipe_named(name: str) -> Recipe | None:
    """The recipe of that name or in that file, as a scenario would find it; None if there is none."""
    path = Path(name)
    if path.suffix != library.SUFFIX:
        found = library.find_recipe(name, Path())
        if isinstance(found, str):
            return None
        path = found
    return load_recipe(path)


def recipe_column(recipes: Sequence[Recipe], box: PureBox, repeats: int) -> list[MatrixCell]:
    """A box against every recipe, each time in a new world. InvalidRunError if the laboratory failed."""
    tries: dict[str, list[MatrixTry]] = {recipe.name: [] for recipe in recipes}
    for _ in range(repeats):
        for row in _rows(recipes, box):
            tries[row.name].append(_judged(row))
    return [MatrixCell(recipe.name, box.key, tuple(tries[recipe.name])) for recipe in recipes]


def _rows(recipes: Sequence[Recipe], box: PureBox) -> Sequence[WayRow]:
    ways = tuple(_way(recipe, box, number) for number, recipe in enumerate(recipes, 1))
    scenario = replace(bench_scenario([box]), circumvention=ways)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        out = Path(folder) / "run"
        result = execute(Job(scenario, phase=box.key, vantages=(_FROM,), circumvention=True, out=out))
    if not result.ways:
        raise InvalidRunError("\n".join(result.problems) or "no recipe was tried")
    return result.ways


def _way(recipe: Recipe, box: PureBox, number: int) -> Circumvention:
    four, six, asn, country = _ABROAD
    place = ((four.format(number),), (six.format(number),), asn, country)
    server = Host(f"tool{number}", (f"tool{number}.example.net",), *place) if recipe.server else None
    target = parse((_QUIC if recipe.passage.quic else _TARGET).format(box.name))
    return Circumvention(recipe.name, box.key, _FROM, target, recipe, server=server)


def _judged(row: WayRow) -> MatrixTry:
    why = row.why.strip().splitlines()[0] if row.why.strip() else ""
    rule = row.acted[0].rpartition("/")[2] if row.acted else ""
    if row.verdict == "skipped":
        return MatrixTry(Ending.SKIPPED, reason=why)
    if row.observed == NOT_READY and (row.verdict == "broken by itself" or not row.acted):
        return MatrixTry(_not_ready(row.why), rule, reason=row.why.strip().splitlines()[-1])
    if row.verdict == "broken by itself":
        return MatrixTry(Ending.BROKEN, reason=why or f"from outside it comes to {row.free}")
    if row.verdict == "not needed":
        return MatrixTry(Ending.INVALID, reason=f"the direct way is {row.direct}")
    if row.observed == "ok":
        return MatrixTry(Ending.THROUGH, rule)
    if not row.acted:
        return MatrixTry(Ending.UNEXPLAINED, reason=f"{row.observed}, and no rule acted on its flows")
    ending = Ending.DEGRADED if row.observed == "throttle" else Ending.BLOCKED
    return MatrixTry(ending, rule, reason=row.observed)


def _not_ready(why: str) -> Ending:
    if _ELSEWHERE.search(why):
        return Ending.PORT
    return Ending.HANG if "not ready after" in why else Ending.CRASH
