"""The live matrix: what is asked for becomes rows, boxes and a table."""

from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.errors import InputError
from testbed.matrix.cell import MatrixCell, MatrixTable
from testbed.matrix.kepttries import kept_tries
from testbed.matrix.livecells import NAME, LiveRow, at_operators, live_cells, live_row
from testbed.matrix.recipecells import recipe_cells, recipe_named
from testbed.matrix.reference import ROWS
from testbed.matrix.scenarioboxes import boxes_named
from testbed.matrix.search import Found, confirm, search_live, search_purely
from testbed.model import Recipe


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
        elif isinstance(row := live_row(text, title), str):
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


def search_all(name: str, against: Sequence[str], most: int, jobs: int, *, core: bool) -> list[Found]:
    """A recipe's grid against every box. With `core`, purely, and the best `most` of each then live.

    Errors: InputError for a recipe that there is not, or that has no grid.
    """
    recipe = recipe_named(name)
    if recipe is None:
        raise InputError.at("--search", f"there is no recipe {name!r}", "name one of recipes/, or a file")
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
