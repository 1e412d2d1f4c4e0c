"""What a recipe may say, and its published schema."""

import importlib.util
from pathlib import Path

import jsonschema
import pytest
import yaml

from testbed.cli.main import main
from testbed.errors import Exit, InputError
from testbed.matrix.search import candidates_of
from testbed.scenario.jsonschema import recipe_schema
from testbed.scenario.recipes import load_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def test_the_published_schema_is_that_of_the_program():
    spec = importlib.util.spec_from_file_location("recipe_schema", ROOT / "tools/recipe_schema.py")
    assert spec
    assert spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.FILE.read_text("utf-8") == tool.text(), "run: python tools/recipe_schema.py"


@pytest.fixture(scope="module")
def validator():
    kind = jsonschema.validators.validator_for(recipe_schema())
    kind.check_schema(recipe_schema())
    return kind(recipe_schema())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_fits_it(validator, path):
    validator.validate(yaml.safe_load(path.read_text("utf-8")))


def test_a_recipe_that_does_not_fit_is_noticed(validator):
    with pytest.raises(jsonschema.ValidationError, match="'titel' was unexpected"):
        validator.validate({"title": "x", "titel": "x"})


def test_a_grid_and_what_a_scenario_uses_of_it(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "title: mine\ngrid: {CUT: [segments, ''], HOW: [a, b]}\nstrategy: $CUT\n"
    )
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert recipe.grid == {"CUT": ("segments", ""), "HOW": ("a", "b")}
    assert recipe.settings == {"CUT": "segments", "HOW": "a"}
    assert [dict(one.settings) for one in candidates_of(recipe)] == [
        {"CUT": "segments", "HOW": "a"},
        {"CUT": "", "HOW": "a"},
        {"CUT": "", "HOW": "b"},
    ], "what sends the same packets is tried once; without a strategy every combination"


@pytest.mark.parametrize(
    ("line", "said"),
    [("grid: {cut: [a]}", "grid.cut"), ("grid: {CUT: []}", "grid.CUT"), ("grid: {CUT: a}", "grid.CUT")],
)
def test_a_grid_that_cannot_be(line, said, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"title: mine\n{line}\n")
    with pytest.raises(InputError) as raised:
        load_recipe(tmp_path / "mine.yaml")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["shadowsoks"], "matrix: there is no recipe or strategy 'shadowsoks'; did you mean 'shadowsocks'?"),
        (["segment"], "matrix: there is no recipe or strategy 'segment'; did you mean 'segments'?"),
        (["segment low-ttl"], "strategy: there is no strategy 'segment'; did you mean 'segments'?"),
        (["--search", "evaed"], "--search: there is no recipe 'evaed'; did you mean 'evade'?"),
    ],
)
def test_a_tool_that_there_is_not(args, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["matrix", *args, "--against", "T"])
    assert (ended.value.code, capsys.readouterr().err) == (Exit.INPUT, f"testbed: {said}\n")
