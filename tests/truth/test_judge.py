"""A healthy run is judged ok; each way of breaking it is seen."""

from copy import deepcopy
from dataclasses import replace

import pytest

from testbed.errors import Exit
from testbed.model import LinkQuality
from testbed.truth.judge import judge
from testbed.truth.proofs import Proof, is_receipt, is_rule

from .conftest import BLOCKED, CONTROL, SLOW, counts
from .timelines import fine, flow_of, measured


def put(measurements, new):
    """The measurements with one of them replaced."""
    where = (new.vantage, new.target)
    return [new if (m.vantage, m.target) == where else m for m in measurements]


def row(judgement, vantage, target):
    return next(r for r in judgement.rows if (r.vantage, r.target) == (vantage, target))


def test_a_healthy_run(scenario, measurements, receipts):
    found = judge(scenario, "on", measurements, receipts)
    assert found.problems == ()
    assert found.notes == ("did nothing, and no expectation names them: mts/tspu/grace",)
    assert [r.verdict for r in found.rows] == ["ok"] * 8
    assert found.exit_status is Exit.OK
    assert (row(found, "mts", BLOCKED).claimed, row(found, "mts", BLOCKED).kernel) == (3, 3)
    assert row(found, "mts", SLOW).kernel == 17
    assert row(found, "mts", SLOW).outside_rate == 212e6
    assert found.to_json()["exit_status"] == 0


def test_an_effect_that_did_not_happen_differs_and_lacks_its_receipt(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["sni"] = counts()()
    found = judge(scenario, "on", put(measurements, fine(BLOCKED, "mts")), receipts)
    assert row(found, "mts", BLOCKED).verdict == "differs"
    assert found.exit_status is Exit.INVALID
    assert f"rule sni must fire at mts and has no receipt for {BLOCKED}" in found.problems[0]


def test_another_effect_with_a_receipt_is_not_as_expected(scenario, measurements, receipts):
    silent = measured(BLOCKED, "mts", dns=None, tcp=None, tls="generic_timeout_error")
    found = judge(scenario, "on", put(measurements, silent), receipts)
    assert (row(found, "mts", BLOCKED).observed, row(found, "mts", BLOCKED).verdict) == (
        "tls.sni.drop",
        "differs",
    )
    assert found.exit_status is Exit.UNEXPECTED


def test_the_right_effect_without_a_receipt_is_invalid(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["sni"] = counts()()
    found = judge(scenario, "on", measurements, receipts)
    assert row(found, "mts", BLOCKED).verdict == "no receipt"
    assert found.exit_status is Exit.INVALID


@pytest.mark.parametrize(("place", "number"), [("kernel", 2), ("claimed", 9), ("kernel", 0), ("claimed", 0)])
def test_places_that_disagree_are_invalid(scenario, measurements, receipts, place, number):
    receipts["mts/tspu"]["rules"]["sni"][place]["replace"] = number
    found = judge(scenario, "on", measurements, receipts)
    assert any("the kernel saw" in problem for problem in found.problems)
    assert found.exit_status is Exit.INVALID


def test_a_fault_is_said_with_its_exception_and_line(scenario, measurements, receipts):
    receipts["mts/tspu"] |= {"faults": 3, "faults_in_words": ["KeyError at mine.py:12: 'my bug'"]}
    problems = judge(scenario, "on", measurements, receipts).problems
    assert "mts/tspu: faults = 3: KeyError at mine.py:12: 'my bug'" in problems


@pytest.mark.parametrize("key", ["faults", "queue_dropped", "user_dropped", "evictions"])
def test_losses_are_invalid(scenario, measurements, receipts, key):
    receipts["mts/tspu"][key] = 1
    found = judge(scenario, "on", measurements, receipts)
    assert [problem for problem in found.problems if f"mts/tspu: {key} = 1" in problem]
    assert found.exit_status is Exit.INVALID


def test_a_censor_without_a_receipt_has_died(scenario, measurements):
    found = judge(scenario, "on", measurements, {})
    assert "mts/tspu left no receipt" in found.problems[0]
    assert found.exit_status is Exit.INVALID


@pytest.mark.parametrize("target", [CONTROL, BLOCKED])
def test_an_outside_that_fails_is_invalid(scenario, measurements, receipts, target):
    dead = measured(target, "outside", dns=None, tcp="generic_timeout_error")
    found = judge(scenario, "on", put(measurements, dead), receipts)
    assert any(
        f"{target} from outside is broken (generic_timeout_error)" in problem for problem in found.problems
    )
    assert found.exit_status is Exit.INVALID


def test_a_harmed_control(scenario, measurements, receipts):
    harmed = measured(CONTROL, "mts", dns=None, tcp=None, tls="connection_reset")
    found = judge(scenario, "on", put(measurements, harmed), receipts)
    assert row(found, "mts", CONTROL).verdict == "control harmed"
    assert found.exit_status is Exit.INVALID
    assert f"the control {CONTROL} from mts was harmed: tls.sni.rst (connection_reset)" in found.problems


def test_a_vantage_that_should_be_free(scenario, measurements, receipts):
    harmed = measured(BLOCKED, "tele2", dns=None, tcp=None, tls="connection_reset")
    assert (
        row(judge(scenario, "on", put(measurements, harmed), receipts), "tele2", BLOCKED).verdict == "differs"
    )
    receipts["tele2/tspu"] = deepcopy(receipts["mts/tspu"])
    found = judge(scenario, "on", measurements, receipts)
    assert {(r.vantage, r.by) for r in found.rows if r.verdict == "unexpected receipt"} == {
        ("tele2", "tspu/sni"), ("tele2", "tspu/policer"),
    }  # fmt: skip
    assert found.exit_status is Exit.UNEXPECTED


def test_a_rule_that_no_expectation_names_is_noted(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["grace"] = counts("tcp mts:1 > elsewhere:443")(drop=4)
    found = judge(scenario, "on", measurements, receipts)
    assert found.notes == ("rule tspu/grace, named by no expectation, fired at mts (4 packets)",)
    assert found.exit_status is Exit.OK


@pytest.mark.parametrize(("rate", "verdict"), [(100e3, "differs"), (131e3, "ok"), (190e3, "differs")])
def test_a_rate_out_of_its_range(scenario, measurements, receipts, rate, verdict):
    slow = fine(SLOW, "mts", speed=(rate, 8.0), end=8.1)
    assert row(judge(scenario, "on", put(measurements, slow), receipts), "mts", SLOW).verdict == verdict


def test_a_trickle_that_never_got_to_a_rate_is_judged_by_its_label(scenario, measurements, receipts):
    trickle = measured(SLOW, "mts", dns=None, tcp=None, tls="generic_timeout_error", reads=[4.8, 9.0])
    assert row(judge(scenario, "on", put(measurements, trickle), receipts), "mts", SLOW).verdict == "ok"


def test_what_was_not_measured_is_invalid(scenario, measurements, receipts):
    found = judge(scenario, "on", measurements[1:], receipts)
    assert row(found, "mts", BLOCKED).verdict == "not measured"
    assert found.problems == (f"{BLOCKED} from mts was not measured",)
    assert judge(scenario, "on", [], {}).exit_status is Exit.INVALID


def test_a_bug_of_the_probe_is_invalid(scenario, measurements, receipts):
    healthy = fine(CONTROL, "mts")
    bug = replace(healthy, test_keys=replace(healthy.test_keys, probe_error="unknown_failure: oops"))
    found = judge(scenario, "on", put(measurements, bug), receipts)
    assert found.problems == (f"the probe failed at {CONTROL} from mts: unknown_failure: oops",)


def test_grace_drop_may_stop_in_the_answer_and_no_other_rule(scenario, measurements, receipts):
    cut_off = {
        "dns": None,
        "tcp": None,
        "tls": None,
        "http": "generic_timeout_error",
        "page": {"x_complete": False},
    }
    made = put(measurements, measured(BLOCKED, "mts", reads=[0.09, 0.15], **cut_off))
    receipts["mts/tspu"]["rules"]["grace"] = counts(flow_of(BLOCKED, "mts"))(drop=4)
    verdicts = {}
    for by in ("grace", "tspu/grace", "sni"):
        first = replace(scenario.expect[0], outcome="tls.sni.drop", by=by)
        changed = replace(scenario, expect=(first, *scenario.expect[1:]))
        verdicts[by] = row(judge(changed, "on", made, receipts), "mts", BLOCKED).verdict
    assert verdicts == {"grace": "ok", "tspu/grace": "ok", "sni": "differs"}


def test_two_expectations_that_name_each_others_rules(scenario, measurements, receipts):
    """Both rules fired at this vantage, and each at the other's target."""
    by = {BLOCKED: "policer", SLOW: "tspu/sni"}
    swapped = [replace(one, by=by.get(one.target.url, one.by)) for one in scenario.expect[:2]]
    changed = replace(scenario, expect=(*swapped, scenario.expect[2]))
    found = judge(changed, "on", measurements, receipts)
    assert [(r.by, r.verdict, r.others, r.kernel) for r in found.rows[:2]] == [
        ("policer", "differs", ("mts/tspu/sni",), 0),
        ("tspu/sni", "differs", ("mts/tspu/policer",), 0),
    ]
    assert (found.problems, found.exit_status) == ((), Exit.UNEXPECTED)


def test_the_rule_of_another_flow_of_the_same_vantage_proves_nothing(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["sni"] = counts("tcp mts:1 > elsewhere:443")(replace=3)
    found = judge(scenario, "on", measurements, receipts)
    assert row(found, "mts", BLOCKED).verdict == "no receipt"
    assert found.exit_status is Exit.INVALID


def test_a_censor_at_the_far_end_names_the_flow_from_its_side(scenario, measurements, receipts):
    near, far = flow_of(BLOCKED, "mts").removeprefix("tcp ").split(" > ")
    receipts["mts/tspu"]["rules"]["sni"] = counts(f"tcp {far} > {near}")(replace=3)
    assert row(judge(scenario, "on", measurements, receipts), "mts", BLOCKED).verdict == "ok"


SILENT = measured(BLOCKED, "tele2", dns=None, tcp=None, tls="generic_timeout_error")
REDIRECTED = fine(BLOCKED, "tele2", page={"code": 302, "headers_list": [["location", "http://other/"]]})


@pytest.mark.parametrize(("seen", "status"), [(SILENT, Exit.INVALID), (REDIRECTED, Exit.UNEXPECTED)])
def test_an_effect_that_no_rule_had_a_part_in(scenario, measurements, receipts, seen, status):
    """Silence has a cause that is no censor's, so nothing was measured; a redirect a site may well give."""
    found = judge(scenario, "on", put(measurements, seen), receipts)
    assert row(found, "tele2", BLOCKED).verdict == "differs"
    assert found.exit_status is status
    unowned = (
        f"{BLOCKED} from tele2 is tls.sni.drop (generic_timeout_error), and no rule acted on its flows: "
        "packets were lost or late in the world itself"
    )
    assert found.problems == ((unowned,) if status is Exit.INVALID else ())


def test_a_lossy_world_may_lose_packets(scenario, measurements, receipts):
    world = replace(scenario.world, backbone=LinkQuality(loss=0.1))
    found = judge(replace(scenario, world=world), "on", put(measurements, SILENT), receipts)
    assert (found.problems, found.exit_status) == ((), Exit.UNEXPECTED)


def test_a_busy_machine_is_no_throttling(scenario, measurements, receipts):
    """Slow, and nothing limited it: no throttle, and it is said."""
    late = fine(BLOCKED, "tele2", end=9.0)
    found = judge(scenario, "on", put(measurements, late), receipts)
    assert (row(found, "tele2", BLOCKED).observed, row(found, "tele2", BLOCKED).verdict) == ("ok", "ok")
    assert found.problems == ()
    assert found.notes[-1] == f"slow, though no rule acted on their flows: {BLOCKED} from tele2"
    operators = tuple(replace(one, access=LinkQuality(rate=1e5)) for one in scenario.world.operators)
    slow_link = replace(scenario, world=replace(scenario.world, operators=operators))
    assert "slow" not in str(judge(slow_link, "on", put(measurements, late), receipts).notes)


def test_throttling_needs_a_rule_that_limited_these_flows(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["policer"] = counts("tcp mts:1 > elsewhere:443", policed_drop=17)(police=1)
    found = judge(scenario, "on", measurements, receipts)
    assert (row(found, "mts", SLOW).observed, row(found, "mts", SLOW).verdict) == ("ok", "differs")
    assert found.exit_status is Exit.INVALID


def test_a_flow_handed_over_is_not_yet_an_act(scenario, measurements, receipts):
    receipts["mts/tspu"]["rules"]["policer"] = counts(flow_of(SLOW, "mts"))(police=1)
    assert row(judge(scenario, "on", measurements, receipts), "mts", SLOW).kernel == 0


def test_some_vantages_only(scenario, measurements, receipts):
    free = [m for m in measurements if m.vantage != "mts"]
    found = judge(scenario, "on", free, {}, ["tele2"])
    assert found.exit_status is Exit.OK
    assert {r.vantage for r in found.rows} == {"tele2", "outside"}


def test_each_trial_has_its_own_row_and_its_own_reference(scenario, measurements, receipts):
    again = fine(BLOCKED, "mts")
    dead_outside = measured(BLOCKED, "outside", dns=None, tcp="generic_timeout_error")
    found = judge(scenario, "on", [*measurements, again, dead_outside], receipts)
    rows = [r for r in found.rows if r.target == BLOCKED]
    assert [(r.vantage, r.trial, r.observed, r.verdict) for r in rows] == [
        ("mts", 1, "tls.sni.rst", "ok"),
        ("mts", 2, "ok", "differs"),
        ("tele2", None, "ok", "ok"),
        ("outside", 1, "ok", "ok"),
        ("outside", 2, "broken", "differs"),
    ]
    assert found.exit_status is Exit.INVALID  # nothing to compare the second trial with


def test_more_trials_than_outside_are_compared_with_the_last_one_there(scenario, measurements, receipts):
    found = judge(scenario, "on", [*measurements, fine(CONTROL, "mts"), fine(CONTROL, "mts")], receipts)
    assert [(r.trial, r.verdict) for r in found.rows if (r.vantage, r.target) == ("mts", CONTROL)] == [
        (1, "ok"), (2, "ok"), (3, "ok"),
    ]  # fmt: skip
    assert found.exit_status is Exit.OK


def test_whose_rule_it_is():
    assert all(is_rule("mts/tspu/sni", "mts", by) for by in ("sni", "tspu/sni"))
    others = [
        ("tele2", "sni"),
        ("tele2", "tspu/sni"),
        ("mts", "dpi/sni"),
        ("mts", "ech"),
        ("mts", "tspu/ech"),
    ]
    assert not any(is_rule("mts/tspu/sni", *one) for one in others)


def test_whose_packets_a_rule_acted_on():
    found = [Proof(1, 1, up, down).direction for up, down in ((2, 0), (0, 2), (0, 0), (1, 1))]
    assert found == ["up", "down", "", "both"]


def test_what_is_no_receipt():
    def receipt(rule):
        return is_receipt({"censor": "mts/tspu", "rules": {"sni": rule}})

    assert receipt({"claimed": {"drop": 1}, "kernel": {"drop": 1}, "flows": {}})
    for flows in ([], None, "x", 3):
        assert not receipt({"flows": flows})
    for wrong in ([], {"drop": "1"}, {"drop": None}):
        assert not receipt({"claimed": wrong, "kernel": {"drop": 1}})
        assert not receipt({"claimed": {"drop": 1}, "kernel": wrong})
