"""docs/circumvention.md: its table has every method of the library, and what it says of recipes holds."""

import re

import pytest

from testbed.scenario import library
from testbed.scenario.loader import load
from testbed.scenario.recipes import load_recipe
from testbed.scenario.wayparts import RecipePart, WayPart
from tests.docs.pages import ROOT
from tools.methods import PAGE, listed, renewed

TEXT = PAGE.read_text("utf-8")
ON_RECIPES = (ROOT / "docs/recipes.md").read_text("utf-8")
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("name", [name for name in library.names() if load(name).circumvention])
def test_the_table_has_every_method(name: str) -> None:
    lines = listed(TEXT).get(name, [])
    for way in load(name).circumvention:
        cells = [line.split(" | ") for line in lines]
        mine = [
            one
            for one in cells
            if way.phase in one[0].partition(", ")[2].split(", ")
            and way.vantage in one[1].split(", ")
            and one[2].partition(" ")[0] == way.name
            and one[3] == way.target.url
        ]
        assert len(mine) == 1, f"{name}/{way.phase}: {way.name}; run: python tools/methods.py {name}"
        assert ("by `" in mine[0][5]) is bool(way.fails_by), mine


def test_nothing_in_the_table_differs() -> None:
    assert re.findall(r"\*\*.*?\*\*", renewed(TEXT, listed(TEXT)).partition("<!-- end -->")[0]) == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_load_and_have_a_title(path) -> None:
    assert load_recipe(path).title


def test_every_recipe_is_in_the_table_of_recipes() -> None:
    lines = re.findall(r"(?m)^\| \[([a-z0-9-]+)\]\(\.\./recipes/\1\.yaml\) \|", ON_RECIPES)
    assert sorted(lines) == sorted(path.stem for path in RECIPES)


@pytest.mark.parametrize("model", [RecipePart, WayPart])
def test_every_key_is_on_the_page(model) -> None:
    assert [key for key in model.model_fields if not re.search(rf"\b{key}\b", TEXT)] == []
