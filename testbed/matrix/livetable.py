"""The live matrix: what is asked for becomes rows, boxes and a table."""

from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.errors import InputError, nearest
from testbed.evade.strategy import strategies_known
from testbed.matrix.cell import MatrixCell, MatrixTable
from testbed.matrix.kepttries import kept_tries
from testbed.matrix.livecells import NAME, LiveRow, at_operators, live_cells, live_row
from testbed.matrix.recipecells import recipe_cells, recipe_named
from testbed.matrix.reference import ROWS
from testbed.matrix.scenarioboxes import boxes_named
from testbed.matrix.search import Found, confirm, search_live, search_purely
from testbed.model import Recipe
from testbed.scenario.library import recipe_names


def bench(
    tools: Sequence[str],
    against: Sequence[str],
    repeats: int,
    jobs: int,
    out: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> MatrixTable:
    """Recipes, by name or file, and strategies against boxes, in worlds. Without tools: the reference rows.

    `out`: a folder that keeps every try when it is made; those that it has are not made again. `tell` is
    called with each, in words, in the process that made it.

    Errors: InputError for what there is not, UnsupportedError for a machine without worlds.
    """
    boxes, left_out = at_operators([one for box in boxes_named(against, NAME) for one in box.nodes])
    strategies: list[LiveRow] = []
    recipes: list[Recipe] = []
    for title, text in [(text, text) for text in tools] or [(title, text) for title, _, text in ROWS]:
        if text and (recipe := recipe_named(text)):
            recipes.append(recipe)
        elif isinstance(row := _row(text, title), str):
            left_out.append(row)
        else:
            strategies.append(row)
    if not boxes or not (strategies or recipes):
        raise InputError.at("matrix", "nothing of it can be tried live", "; ".join(left_out))
    cells: list[MatrixCell] = []
    with kept_tries(out, tell) as kept:
        if strategies:
            cells += live_cells(strategies, boxes, repeats, kept, jobs)
        if recipes:
            cells += recipe_cells(recipes, boxes, repeats, kept, jobs)
    return MatrixTable(tuple(cells), "live", tuple(left_out))


def _row(text: str, title: str) -> LiveRow | str:
    """InputError for what is none, in which a single word may have been meant as a recipe."""
    try:
        return live_row(text, title)
    except InputError:
        if " " in text or ":" in text:
            raise
        known = [*strategies_known(), *recipe_names(Path())]
        raise InputError.at(
            "matrix", f"there is no recipe or strategy {text!r}", nearest(text, known)
        ) from None


def search_all(name: str, against: Sequence[str], most: int, jobs: int, *, core: bool) -> list[Found]:
    """A recipe's grid against every box. With `core`, purely, and the best `most` of each then live.

    Errors: InputError for a recipe that there is not, or that has no grid.
    """
    recipe = recipe_named(name)
    if recipe is None:
        raise InputError.at("--search", f"there is no recipe {name!r}", nearest(name, recipe_names(Path())))
    boxes = boxes_named(against, NAME)
    if not core:
        boxes, _ = at_operators(boxes)
        return [search_live(recipe, box) for box in boxes]
    pure = [search_purely(recipe, box) for box in boxes_named(against)]
    here = {box.key: box for box in at_operators(boxes)[0]}
    return [
        confirm(found, here[found.box], most, jobs) if most and found.ranked and found.box in here else found
        for found in pure
    ]
