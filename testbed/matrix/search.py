"""Searching a recipe's grid: purely, where the recipe says what it does to packets, and live for the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from string import Template
from typing import Any, Final

from testbed.errors import InputError
from testbed.evade.strategy import parse_plan
from testbed.matrix.cell import Ending
from testbed.matrix.contender import contender, first_bytes
from testbed.matrix.halving import Halved, Ranked, halve
from testbed.matrix.kepttries import kept_tries
from testbed.matrix.livecells import LiveRow, live_cells
from testbed.matrix.livetry import Ask
from testbed.matrix.purebox import PureBox
from testbed.matrix.purecells import tried_purely
from testbed.matrix.recipecells import recipe_cells
from testbed.model import Recipe

_ROUNDS: Final = (1, 4, 15)  # tries of a round; our choice: 20 in all, as many as a cell of the pure matrix
_ONCE: Final = (1,)
_LIVE_ROUNDS: Final = (1, 2)
_FORGED: Final = 10.0  # what a packet that no socket sends costs, in ordinary packets: our choice


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point of the grid."""

    settings: tuple[tuple[str, str], ...]
    strategy: str = ""  # what it does to packets; "" if the recipe does not say

    def __str__(self) -> str:
        return (
            self.strategy or " ".join(f"{name}={value}" for name, value in self.settings if value) or "plain"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to against one box. `confirmed`: how the best fared live, where that was tried."""

    box: str
    of: int
    ranked: tuple[Ranked[Candidate], ...]
    left_out: tuple[str, ...]
    confirmed: Mapping[Candidate, Ending]

    def to_json(self) -> dict[str, Any]:
        """As a dict."""
        rows = [
            {
                "strategy": str(one.candidate),
                "settings": dict(one.candidate.settings),
                "worked": one.worked,
                "tried": one.tried,
                "cost": one.cost,
                "live": str(self.confirmed.get(one.candidate, "")),
            }
            for one in self.ranked
        ]
        return {"box": self.box, "candidates": self.of, "working": rows, "left_out": list(self.left_out)}


def candidates_of(recipe: Recipe) -> list[Candidate]:
    """Every combination once; of those that send the same packets the first.

    Errors: InputError for a recipe without a grid, or with a strategy that there is not.
    """
    place = f"recipe {recipe.name}"
    if not recipe.grid:
        raise InputError.at(place, "it has no grid", "add 'grid: {OPTION: [value, …]}'")
    found: dict[object, Candidate] = {}
    for values in product(*recipe.grid.values()):
        settings = tuple(zip(recipe.grid, values, strict=True))
        try:
            text = " ".join(Template(recipe.strategy).substitute(dict(settings)).split())
        except (KeyError, ValueError) as error:
            raise InputError.at(place, f"strategy names {error}", "an option of the grid") from None
        one = Candidate(settings, text)
        found.setdefault(parse_plan(text.split(), place).flight(first_bytes("openssl")) if text else one, one)
    return [*found.values()]


def search_purely(recipe: Recipe, box: PureBox) -> Found:
    """Every candidate against a box, without a world. InputError for a recipe without `strategy`."""
    if not recipe.strategy:
        remedy = "search it live, without --core"
        raise InputError.at(f"recipe {recipe.name}", "it does not say what it does to packets", remedy)
    candidates = candidates_of(recipe)

    def tries(some: Sequence[Candidate], begin: int, count: int) -> list[int]:
        numbers = range(begin, begin + count)
        return [sum(_works(one, box, number) for number in numbers) for one in some]

    halved = halve(candidates, _cost, tries, _ROUNDS if box.draws else _ONCE)
    return Found(box.key, len(candidates), halved.best, halved.dropped, {})


def confirm(found: Found, box: PureBox, most: int, jobs: int) -> Found:
    """The best few, cheapest first, tried live."""
    best = [one.candidate for one in found.ranked[:most]]
    rows = [LiveRow(str(one), Ask(plan=parse_plan(one.strategy.split()))) for one in best]
    with kept_tries(None) as kept:
        cells = live_cells(rows, [box], 1, kept, jobs)
    endings = {one: cell.ending for one, cell in zip(best, cells, strict=True)}
    rest = len(found.ranked) - len(best)
    more = (f"{rest} that work in the core were not tried live",) if rest else ()
    return replace(found, confirmed=endings, left_out=(*found.left_out, *more))


def search_live(recipe: Recipe, box: PureBox) -> Found:
    """Every candidate against a box, with the recipe's own programs."""
    candidates = candidates_of(recipe)

    def tries(some: Sequence[Candidate], _: int, count: int) -> list[int]:
        tools = [
            replace(recipe, name=f"{recipe.name}-{n}", settings=dict(one.settings))
            for n, one in enumerate(some)
        ]
        with kept_tries(None) as kept:
            cells = recipe_cells(tools, [box], count, kept)
        return [sum(one.ending in (Ending.THROUGH, Ending.UNSEEN) for one in cell.tries) for cell in cells]

    halved: Halved[Candidate] = halve(candidates, _cost, tries, _LIVE_ROUNDS)
    return Found(box.key, len(candidates), halved.best, halved.dropped, {})


def _works(one: Candidate, box: PureBox, number: int) -> bool:
    return tried_purely(contender(one.strategy, host=box.name), box, number).ending is Ending.THROUGH


def _cost(one: Candidate) -> float:
    """Packets and kilobytes more than without it; what no socket sends costs more. Without a strategy 0."""
    if not one.strategy:
        return 0.0
    plan, first = parse_plan(one.strategy.split()), first_bytes("openssl")
    flight = plan.flight(first)
    more = sum(len(part.data) for part in flight) - len(first)
    return round(len(flight) - 1 + more / 1000 + (_FORGED if plan.forged else 0.0), 2)
