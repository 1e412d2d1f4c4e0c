"""Every case on the core, by name."""

import re

import pytest

from testbed.conformance.case import CASES, TSPU
from tests.conformance.outcomes import ALL, H, must_hold, on_core
from tests.docs.test_sources import unknown

OTHERS = [one for one in ALL if one not in H]


@pytest.mark.parametrize(("id_", "profile"), H)
def test_sure_ones_hold(id_: str, profile: str) -> None:
    must_hold(on_core(id_, profile))


@pytest.mark.parametrize(("id_", "profile"), OTHERS)
def test_less_sure_ones_hold(id_: str, profile: str) -> None:
    must_hold(on_core(id_, profile))


def test_there_are_92_cases_and_the_matrix() -> None:
    """Cases from C123 on came later, and each is its own proof."""
    assert sum(re.fullmatch(r"C\d+", id_) is not None and int(id_[1:]) < 123 for id_ in CASES) == 92
    rows = {id_.partition("/")[0] for id_ in CASES if "/" in id_}
    assert len(rows) == 19 + 6, "the tools' traces, and the probes made by hand"
    assert sum("/" in id_ for id_ in CASES) == 19 * 10 + 4 * 6 + 2 * 2


def test_the_twenty_thousand_flows_are_counted() -> None:
    seen = on_core("C38", "t22").seen
    assert (found := re.search(r"(\d+) of 20000 flows", seen))
    assert 277 <= int(found[1]) <= 427  # 1.76 % of 20,000, four standard deviations


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_a_case_says_of_itself(case) -> None:
    assert case.confidence in "HML"
    assert unknown(case.source) == []
    assert case.title
    assert case.expected
    assert set(case.profiles) <= {
        *TSPU,
        "leg-passive",
        "leg-active",
        "leg-dns",
        "leg-mitm",
        "transit",
        "mob-wl",
        "outage",
    }
    assert case.live or case.core_only
