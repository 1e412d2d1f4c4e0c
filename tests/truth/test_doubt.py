"""A censor is blamed for what fails here more often than elsewhere, and for nothing else."""

import math

import pytest

from testbed.measurement.ooni import RepeatedLooks
from testbed.truth.doubt import ERROR, chance_of, weigh

RST, OK = "tls.sni.rst", "ok"


def looks(here, outside, controls):
    """Each as (failed, tried), with resets."""
    return RepeatedLooks(
        *((RST,) * failed + (OK,) * (of - failed) for failed, of in (here, outside, controls))
    )


def test_fishers_exact_test():
    """The lady tasting tea: 3 of 4 right cups, 1 of 4 wrong ones (The Design of Experiments, ch. 2)."""
    assert chance_of(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert chance_of(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert chance_of(3, 3, 0, 8) == pytest.approx(1 / 165)
    assert chance_of(1, 1, 0, 0) == 1


@pytest.mark.parametrize(
    ("here", "outside", "controls", "said"),
    [
        ((3, 3), (0, 9), (0, 8), "blocked"),
        ((1, 1), (0, 1), (0, 2), "inconclusive"),  # one failure beside one success
        ((5, 8), (20, 29), (0, 23), "free"),  # the server
        ((8, 8), (20, 29), (0, 23), "free"),
        ((4, 8), (0, 29), (5, 23), "free"),  # the line
        ((8, 8), (0, 29), (3, 23), "blocked"),  # a lossy line, and a box
        ((6, 8), (0, 29), (0, 23), "blocked"),  # a box that acts at times
        ((1, 8), (0, 29), (0, 23), "inconclusive"),
        ((3, 3), (0, 9), (0, 0), "blocked"),  # a scenario without controls
    ],
)
def test_what_is_blamed(here, outside, controls, said):
    assert weigh(looks(here, outside, controls)).said == said


def test_a_lossy_line_resets_nothing():
    silent = RepeatedLooks((RST,) * 8, (OK,) * 29, ("throttle", "ip.drop") * 6 + (OK,) * 11)
    assert weigh(silent).said == "blocked"
    late = RepeatedLooks(("throttle",) * 4 + (OK,) * 4, (OK,) * 29, ("ip.drop",) * 6 + (OK,) * 17)
    assert weigh(late).said == "free"


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9])
def test_the_chance_of_error_is_what_it_says(share):
    """A server that fails so often for everybody: every way that the looks may end, with its probability."""

    def binomial(n, of):
        return math.comb(of, n) * share**n * (1 - share) ** (of - n)

    # At first three looks here and nine outside; of what is open then, eight and twenty-nine.
    at_once = sum(
        binomial(here, 3) * binomial(outside, 9)
        for here in range(4) for outside in range(10)
        if here and weigh(looks((here, 3), (outside, 9), (0, 8))).said == "blocked"
    )  # fmt: skip
    later = sum(
        binomial(here, 8) * binomial(outside, 29)
        for here in range(1, 9) for outside in range(30)
        if weigh(looks((here, 8), (outside, 29), (0, 23))).said == "blocked"
    )  # fmt: skip
    assert at_once + later <= ERROR + 0.001


def test_the_most_that_chance_may_explain():
    assert weigh(looks((2, 2), (0, 12), (0, 40))).said == "inconclusive"  # 1 of 91
    assert weigh(looks((2, 2), (0, 13), (0, 40))).said == "blocked"  # 1 of 105
