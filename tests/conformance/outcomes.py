"""Outcomes on the core, each found once per process."""

from functools import cache

import pytest

from testbed.conformance.case import CASES
from testbed.conformance.runner import Outcome, run
from testbed.conformance.suite import choose

ALL = [(case.id, profile) for case, profile in choose()]
H = [(id_, profile) for id_, profile in ALL if CASES[id_].confidence == "H"]


@cache
def on_core(id_: str, profile: str) -> Outcome:
    return run(CASES[id_], profile)


def must_hold(outcome: Outcome) -> None:
    """Fail with what was seen instead; skip by the name of a missing mechanism."""
    if outcome.held is None:
        pytest.skip(outcome.seen)
    assert outcome.held, outcome.seen
