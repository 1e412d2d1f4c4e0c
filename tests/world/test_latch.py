"""A latch: whoever was forked before or after it opens gets through, and nobody before."""

import pytest

from testbed.errors import InvalidRunError
from testbed.world.children import Call, call
from testbed.world.latch import Latch


def test_nobody_gets_through_before_it_opens():
    latch = Latch()
    with pytest.raises(InvalidRunError, match="not done after"):
        call(latch.wait, timeout=0.2)


def test_everybody_gets_through_afterwards_however_early_they_came():
    latch = Latch()
    early = [Call(lambda: (latch.wait(), "through")[1]) for _ in range(3)]
    latch.open()
    late = [Call(lambda: (latch.wait(), "through")[1]) for _ in range(2)]
    assert [each.result(30) for each in (*early, *late)] == ["through"] * 5
