"""A scenario.json that somebody has edited: the flow's story is shown, or the error names the place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError
from testbed.explain.chosen import choose
from testbed.explain.compose import compose
from testbed.explain.evidence import read
from testbed.explain.parting import difference
from tests.explain.runs import write_run

_Path = tuple[str | int, ...]
_OTHERS = (None, True, -1, 10**19, 1.5, "", "x", [], [1], [None], {}, {"a": 1})


def _places(value: Any, path: _Path = ()) -> Iterator[_Path]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*path, key))


def _with(value: Any, path: _Path, other: Any) -> Any:
    if not path:
        return other
    edited = value.copy()
    edited[path[0]] = _with(value[path[0]], path[1:], other)
    return edited


def test_every_value_replaced_by_others(tmp_path):
    whole = read(write_run(tmp_path / "whole"))
    folder = write_run(tmp_path / "edited")
    scenario = json.loads((folder / "scenario.json").read_text("utf-8"))
    shown, refused = 0, 0
    for place in _places(scenario):
        for other in _OTHERS:
            (folder / "scenario.json").write_text(json.dumps(_with(scenario, place, other)), "utf-8")
            try:
                edited = read(folder)
            except InputError:
                refused += 1
                continue
            assert compose(edited, choose(edited, "")).steps, (place, other)
            assert difference(whole, edited).same == 1, (place, other)
            shown += 1
    assert (shown > 0, refused > 0) == (True, True)


@pytest.mark.parametrize(
    ("place", "other", "named"),
    [
        (("phases", "p", "placements", 0, "hop"), "2", "phases.p.placements.0.hop"),
        (("phases", "p", "placements", 0, "at"), "cellar", "phases.p.placements.0.at"),
        (("phases", "p", "placements", 0, "rules", 0, "name"), None, "phases.p.placements.0.rules.0.name"),
        (("world", "operators", 0, "prefix4"), "91.76.0.0/99", "world.operators.0.prefix4"),
        (("world",), [], "world"),
    ],
)
def test_the_error_names_the_place(tmp_path: Path, place: _Path, other: Any, named: str):
    folder = write_run(tmp_path / "run")
    path = folder / "scenario.json"
    path.write_text(json.dumps(_with(json.loads(path.read_text("utf-8")), place, other)), "utf-8")
    with pytest.raises(InputError) as refused:
        read(folder)
    assert str(refused.value) == (
        f"{folder}: scenario.json has another form than this testbed writes, at {named}; "
        "take that of the run again: it is not to be edited"
    )
