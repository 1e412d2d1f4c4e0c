"""Searching a grid: what works is found, the cheapest first, and what was not tried is named."""

import json
from collections.abc import Sequence

import pytest

from testbed.cli.main import main
from testbed.errors import Exit, InputError
from testbed.matrix.contender import contender
from testbed.matrix.halving import halve
from testbed.matrix.purebox import boxes_of, model_box
from testbed.matrix.puretry import try_purely
from testbed.matrix.search import candidates_of, search_purely
from testbed.model import Recipe

RECIPE = Recipe(
    "small",
    grid={"CUT": ("segments:name", "", "records:name"), "DECOY": ("", "low-ttl:2", "low-ttl:3")},
    strategy="$CUT $DECOY",
)


def test_the_better_half_goes_on_and_cost_decides_between_equals():
    asked = []

    def tries(some: Sequence[int], begin: int, count: int) -> list[int]:
        asked.append((list(some), begin, count))
        return [count if one % 4 == 0 else count // 2 if one % 4 == 1 else 0 for one in some]

    found = halve(range(40), lambda one: 40 - one, tries, (2, 4), fewest=3)
    assert [len(some) for some, _, _ in asked] == [40, 10]
    assert [(begin, count) for _, begin, count in asked] == [(0, 2), (2, 4)]
    assert [one.candidate for one in found.best] == [36, 32, 28, 24, 20, 16, 12, 8, 4, 0]
    assert {(one.worked, one.tried) for one in found.best} == {(6, 6)}
    assert found.dropped == (
        "20 never worked in 2 tries",
        "10 were not tried further after 2 tries: others worked at least as often and cost less",
    )


def test_each_box_has_its_own_cheapest_strategy():
    found = {key: search_purely(RECIPE, model_box(key)) for key in ("T", "R", "Rvm")}
    assert {key: one.of for key, one in found.items()} == {"T": 9, "R": 9, "Rvm": 9}
    assert [str(one.candidate) for one in found["T"].ranked] == [
        "records:name",
        "segments:name",
        "low-ttl:3",
        "records:name low-ttl:2",
        "records:name low-ttl:3",
        "segments:name low-ttl:2",
        "segments:name low-ttl:3",
    ]
    assert str(found["R"].ranked[0].candidate) == "records:name"
    assert found["Rvm"].ranked == ()
    assert found["Rvm"].left_out == ("9 never worked in 1 try",)


def test_what_is_found_works_and_what_is_dropped_does_not():
    box = model_box("Dv")
    found = {str(one.candidate) for one in search_purely(RECIPE, box).ranked}
    every = {one.strategy for one in candidates_of(RECIPE)}
    assert found == {text for text in every if try_purely(contender(text), box).ending == "through"}
    assert 0 < len(found) < len(every)


def test_nodes_that_differ_are_tried_more_often():
    (box,) = boxes_of(["t26"])
    found = search_purely(RECIPE, box)
    assert str(found.ranked[0].candidate) == "records:name"
    assert (found.ranked[0].worked, found.ranked[0].tried) == (20, 20)


def test_the_shipped_grid_against_the_strictest_model(capsys):
    """By the core alone: thousands of candidates; Linux and the model take different copies of a byte."""
    assert _called("--search", "evade", "--core", "--confirm", "0", "--against", "Rvm") == Exit.OK
    (found,) = json.loads(capsys.readouterr().out)
    assert found["candidates"] > 1500
    assert all("overlap:behind" in one["strategy"] for one in found["working"])


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("none"), "recipe none: it has no grid; add 'grid: {OPTION: [value, …]}'"),
        (Recipe("typo", grid={"CUT": ("segment",)}, strategy="$CUT"), "there is no strategy 'segment'"),
        (
            Recipe("gone", grid={"CUT": ("",)}, strategy="$CUTS"),
            "strategy names 'CUTS'; an option of the grid",
        ),
        (Recipe("mute", grid={"CUT": ("",)}), "it does not say what it does to packets; search it live"),
    ],
)
def test_a_recipe_that_cannot_be_searched(recipe, said):
    with pytest.raises(InputError) as raised:
        search_purely(recipe, model_box("T")) if recipe.strategy or recipe.name == "mute" else candidates_of(
            recipe
        )
    assert said in str(raised.value)


@pytest.mark.world
@pytest.mark.slow
def test_the_best_are_confirmed_live(capsys):
    assert _called("--search", "evade", "--core", "--confirm", "3", "--against", "Rv") == Exit.OK
    (found,) = json.loads(capsys.readouterr().out)
    assert [one["live"] for one in found["working"][:4]] == ["through", "through", "through", ""]


@pytest.mark.world
@pytest.mark.slow
def test_a_recipe_that_says_nothing_of_packets_is_searched_live(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        "title: mine\nproxy: socks5://127.0.0.1:1080\nclient:\n- command:\n    run: |\n"
        '      exec "$TESTBED_PYTHON" -m testbed.evade --listen 127.0.0.1:1080 $CUT\n    ready: {tcp: 1080}\n'
        'grid: {CUT: ["", segments, records]}\n'
    )
    assert _called("--search", str(tmp_path / "mine.yaml"), "--against", "R") == Exit.OK
    (found,) = json.loads(capsys.readouterr().out)
    assert [(one["settings"], one["worked"], one["tried"]) for one in found["working"]] == [
        ({"CUT": "records"}, 3, 3)
    ]


def _called(*args):
    with pytest.raises(SystemExit) as ended:
        main(["matrix", "--json", *args])
    return ended.value.code
