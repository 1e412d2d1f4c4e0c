"""The table of match keys in docs/scenarios.md is made from the keys."""

import pytest

from testbed.censor.match import KEYS
from tools.match_keys import PAGE, renewed, table


def test_the_table_is_in_step_with_the_keys() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "run: python tools/match_keys.py"


def test_the_table_would_be_seen_out_of_step() -> None:
    page = PAGE.read_text("utf-8").replace("| `ports` |", "| `port` |", 1)
    assert renewed(page) != page


def test_a_page_without_a_place_for_it() -> None:
    with pytest.raises(ValueError, match="the page has no"):
        renewed("no table")


@pytest.mark.parametrize("name", KEYS)
def test_every_key_says_what_it_matches_and_how_it_is_written(name: str) -> None:
    (row,) = [line for line in table().split("\n") if line.startswith(f"| `{name}` |")]
    _, _, matches, written, _ = row.split("|")
    assert len(matches) > 10
    assert "`" in written or "pattern" in written or "addresses" in written
