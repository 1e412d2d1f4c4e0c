"""Cases through the kernel: a representative of each mechanism, and all sure ones in the slow tier."""

import pytest

from testbed.conformance.case import CASES, Dialogue
from testbed.conformance.suite import CaseResult, choose, run, run_live
from testbed.world.enter import isolated_call

pytestmark = pytest.mark.world

REPRESENTATIVES = {
    "rst-rewrite": ("C27", "t22"),
    "grace-drop": ("C30", "t22"),
    "drop, roles turned": ("C34", "t22"),
    "two boxes, rst and page": ("C36", "t21"),
    "police": ("C02", "t21"),
    "times on the censor's clock": ("C42", "t22"),
    "fragments": ("C52", "t22"),
    "fragments to a blocked address": ("C125", "t22"),
    "fragments of a held flow": ("C126", "t22"),
    "a fake request": ("C123", "leg-active"),
    "no state": ("C128", "transit"),
    "block-host": ("C59", "t22"),
    "quic by form": ("C62", "t22"),
    "quic by name": ("C70", "t26"),
    "ech": ("C88", "t26"),
    "data-drop": ("C75", "t23"),
    "freeze": ("C91", "t25"),
    "ja4": ("C98", "t26"),
    "page beside the path": ("C101", "leg-passive"),
    "dns": ("C107", "leg-dns"),
    "divert": ("C110", "t26"),
    "tls interception": ("C109", "leg-mitm"),
    "allow-list": ("C113", "mob-wl"),
    "between two operators": ("C25", "t22"),
    "reassembly": ("nfqws-multidisorder/R", "t22"),
}


@pytest.fixture(scope="module")
def held() -> dict[tuple[str, str], CaseResult]:
    chosen = [(CASES[id_], profile) for id_, profile in REPRESENTATIVES.values()]
    return {(one.id, one.profile): one for one in run_live(chosen, lambda _: None)}


@pytest.mark.parametrize("mechanism", REPRESENTATIVES)
def test_a_representative_of_each_mechanism(held, mechanism: str) -> None:
    outcome = held[REPRESENTATIVES[mechanism]]
    assert outcome.live
    assert outcome.held, outcome.seen


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_sure_cases_hold_through_the_kernel() -> None:
    sure = [(case, profile) for case, profile in choose() if case.confidence == "H"]
    outcomes = run_live(sure, lambda _: None)
    assert len(outcomes) == sum(case.live for case, _ in sure)
    assert {(one.id, one.profile): one.seen for one in outcomes if not one.held} == {}


def live_with(change, id_: str, profile: str) -> CaseResult:
    """One case live, with the dialogue or its twin changed."""
    from testbed.conformance.live import LiveWorld

    def main() -> CaseResult:
        world = LiveWorld()
        change()
        return run(CASES[id_], profile, world.backend, live=True)

    return isolated_call(main)


def test_a_twin_that_is_not_untouched_makes_the_case_invalid() -> None:
    def the_rule_stays() -> None:
        Dialogue.twin = lambda self: self  # in the world's process only

    outcome = live_with(the_rule_stays, "C27", "t22")
    assert outcome.held is False
    assert outcome.seen.startswith("invalid: without the rule, ")


def test_a_box_that_does_nothing_fails_live() -> None:
    def harmless() -> None:
        from testbed.conformance.builders import ACTIONS
        from testbed.conformance.cases import actions

        actions.action = lambda *_, **__: ACTIONS["allow"]()

    outcome = live_with(harmless, "C27", "t22")
    assert outcome.held is False
    assert "expected: arrives as RST/ACK" in outcome.seen
