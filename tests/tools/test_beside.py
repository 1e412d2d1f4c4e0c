"""Comparing engines: with our own as the other, and with a program that does nothing."""

import pytest

from testbed.compiled import CHOICE
from testbed.errors import InvalidRunError
from tools import beside

OURS = beside.OURS, {CHOICE: "0"}


def test_an_engine_is_as_quick_as_itself():
    rates = beside.measure({"one": OURS, "other": OURS}, 200, 4200)
    assert 0.3 < rates["one"] / rates["other"] < 3


def test_a_program_that_does_nothing_is_no_rival():
    with pytest.raises(InvalidRunError, match="exit status 0, and no word of blocked"):
        beside.measure({"idle": (["true", "{capture}"], {})}, 1, 2)
