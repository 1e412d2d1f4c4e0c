"""Outcomes on the core, each found once in a run of the suite."""

from functools import cache

import pytest

from testbed.conformance.case import CASES
from testbed.conformance.suite import CaseResult, choose, run
from tests.shared import shared

ALL = [(case.id, profile) for case, profile in choose()]
H = [(id_, profile) for id_, profile in ALL if CASES[id_].confidence == "H"]


@cache
def on_core(id_: str, profile: str) -> CaseResult:
    return shared(f"{id_} {profile} on the core", lambda: run(CASES[id_], profile))


def must_hold(outcome: CaseResult) -> None:
    """Fail with what was seen instead; skip by the name of a missing mechanism."""
    if outcome.held is None:
        pytest.skip(outcome.seen)
    assert outcome.held, outcome.seen
