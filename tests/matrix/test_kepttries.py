"""A matrix that was interrupted goes on: what was measured is kept, what has changed is measured again."""

import pytest

from testbed.errors import InputError
from testbed.matrix.cell import Ending, MatrixTry
from testbed.matrix.kepttries import FILE, KeptTries, TryKey
from testbed.matrix.livecells import NAME, contents
from testbed.matrix.purebox import boxes_of

THROUGH = MatrixTry(Ending.THROUGH, speed=1e6, free_speed=2e6)
BLOCKED = MatrixTry(Ending.BLOCKED, "name", "517 bytes at 0", "reset")


def test_what_was_kept_is_there_again(tmp_path):
    said = []
    kept, key = (
        KeptTries(tmp_path / "mine", said.append),
        TryKey.made("tool", "t24", "its recipe", "its rules"),
    )
    kept.add(key, THROUGH)
    kept.add(key, BLOCKED)
    assert KeptTries(tmp_path / "mine").all() == {key: [THROUGH, BLOCKED]}
    assert said == ["tool × t24: through", "tool × t24: blocked"]


def test_a_line_that_was_cut_is_left_out(tmp_path):
    kept, key = KeptTries(tmp_path), TryKey.made("tool", "t24")
    kept.add(key, THROUGH)
    kept.add(key, BLOCKED)
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-30])
    assert kept.all() == {key: [THROUGH]}


def test_another_recipe_of_that_name_and_other_rules_have_other_keys():
    one, other = boxes_of(["T", "R"], NAME)
    keys = [TryKey.made("tool", "t24", recipe, contents(box)) for recipe in "ab" for box in (one, other)]
    assert len({*keys}) == 4
    assert TryKey.made("tool", "t24", "a", contents(one)) == keys[0]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(InputError, match="is no folder of a matrix"):
        KeptTries(tmp_path)
