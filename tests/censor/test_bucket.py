"""The token bucket of a policer without a kernel: as net/netfilter/nft_limit.c counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.censor.actions.police import Police
from testbed.censor.bucket import TokenBucket
from testbed.censor.units import BitsPerSecond, Octets
from testbed.middlebox.policer import Policer


def bucket(rate: float = 8000, burst: int = 5000, now: float = 0.0, scale: float = 1.0) -> TokenBucket:
    return TokenBucket.full(BitsPerSecond(rate), Octets(burst), now, scale)


def test_it_starts_full_and_drops_cost_nothing() -> None:
    tokens = bucket()
    assert [tokens.take(1500, 0.0) for _ in range(4)] == [True, True, True, False]
    assert tokens.take(500, 0.0), "what was dropped was not charged"
    assert not tokens.take(1, 0.0)
    assert tokens.take(1000, 1.0)
    assert not tokens.take(1000, 1.5)
    assert tokens.take(1000, 2.0)


def test_it_holds_no_more_than_its_size() -> None:
    tokens = bucket()
    assert tokens.take(5000, 0.0)
    assert not tokens.take(5001, 1000.0)
    assert tokens.take(5000, 1000.0)


@given(st.floats(8, 1e9), st.integers(0, 1 << 24))
def test_its_size_and_rate_are_the_kernels(rate: float, burst: int) -> None:
    kernel = Policer.of(Police(rate=BitsPerSecond(rate), burst=Octets(burst)), 0)
    ours = bucket(rate, burst)
    assert (ours.rate, ours.size) == (kernel.rate, kernel.bucket)


def test_under_a_faster_clock_the_rate_is_that_of_real_seconds() -> None:
    tokens = bucket(scale=60)
    assert tokens.take(5000, 0.0)
    assert not tokens.take(1000, 59.0)
    assert tokens.take(1000, 60.0)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 3000)), max_size=60))
def test_never_more_than_the_bucket_and_the_rate_allow(packets: list[tuple[float, int]]) -> None:
    tokens, now, passed = bucket(), 0.0, 0
    for gap, octets in packets:
        now += gap
        passed += octets if tokens.take(octets, now) else 0
    assert passed <= 5000 + now * 1000 + 1e-6


@pytest.mark.parametrize("burst", [0, 999, 1000])
def test_a_bucket_is_never_smaller_than_one_second_of_the_rate(burst: int) -> None:
    assert bucket(8000, burst).size == 1000
