"""What no filter did: an outage, a server that is down for all, and one that turns the outside away."""

from dataclasses import replace

from testbed.measurement.kinds import parse
from testbed.model import Expectation, LinkQuality, Phase, PhaseLinks
from testbed.truth.judge import judge
from testbed.truth.outage import for_everybody, silent_share

from .conftest import BLOCKED, CONTROL, SLOW, counts
from .test_judge import put, row
from .timelines import fine, flow_of, measured

SITE = "https://site.example/"
SILENT = {"dns": None, "tcp": "generic_timeout_error"}
LOSSY = Phase(links={"mts": PhaseLinks(backbone=LinkQuality(loss=0.5))})


def rows(scenario, phase, *made):
    found = judge(scenario, phase, made, {}, ["mts", "tele2"])
    return {(row.vantage, row.target): (row.observed, row.verdict) for row in found.rows}, found.problems


def expecting(scenario, outcome, vantage="mts", **more):
    other = scenario.phases | {"loss": LOSSY, "plain": Phase()}
    expect = [
        Expectation("loss", vantage, parse(SITE), outcome),
        Expectation("plain", vantage, parse(SITE), outcome),
    ]
    expect += [
        Expectation(phase, "mts", parse(CONTROL), outcome)
        for phase in ("loss", "plain")
        if outcome == "outage"
    ]
    return replace(scenario, phases=other, expect=tuple(expect), **more)


def everywhere(*, at_mts, control_at_mts):
    return [
        measured(SITE, "mts", **SILENT) if at_mts else fine(SITE, "mts"),
        measured(CONTROL, "mts", **SILENT) if control_at_mts else fine(CONTROL, "mts"),
        *(fine(url, vantage) for url in (SITE, CONTROL) for vantage in ("tele2", "outside")),
    ]  # fmt: skip


def test_silence_of_the_controls_too_is_an_outage(scenario):
    found, problems = rows(
        expecting(scenario, "outage"), "loss", *everywhere(at_mts=True, control_at_mts=True)
    )
    assert (found["mts", SITE], found["mts", CONTROL]) == (("outage", "ok"), ("outage", "ok"))
    assert found["tele2", CONTROL] == ("ok", "ok")
    assert problems == ()


def test_silence_beside_a_fine_control_is_none(scenario):
    found, _ = rows(expecting(scenario, "outage"), "loss", *everywhere(at_mts=True, control_at_mts=False))
    assert found["mts", SITE] == ("ip.drop", "differs")


def test_an_outage_without_a_lossy_link_is_a_fault_of_the_world(scenario):
    made = everywhere(at_mts=True, control_at_mts=True)
    found, problems = rows(expecting(scenario, "ok"), "plain", *made)
    assert found["mts", SITE] == ("outage", "differs")
    assert any("packets were lost or late in the world itself" in problem for problem in problems)


def test_what_is_down_for_everybody_is_no_outage(scenario):
    dead = [measured(SITE, vantage, **SILENT) for vantage in ("mts", "tele2", "outside")]
    controls = [fine(CONTROL, vantage) for vantage in ("mts", "tele2", "outside")]
    found, problems = rows(expecting(scenario, "broken"), "plain", *dead, *controls)
    assert found["mts", SITE] == ("broken", "ok")
    assert problems == ()


def test_a_server_that_fails_at_times_fails_outside_at_times_too(scenario):
    scenario = expecting(scenario, "broken")
    one = Expectation("plain", "mts", parse(SITE), "broken", tries=2, share=(0.1, 0.9))
    outside = replace(one, vantage="outside")
    scenario = replace(scenario, expect=(one, outside))
    made = [
        measured(SITE, "mts", **SILENT), fine(SITE, "mts"),
        fine(SITE, "outside"), measured(SITE, "outside", **SILENT),
        *(fine(CONTROL, vantage) for vantage in ("mts", "tele2", "outside")),
    ]  # fmt: skip
    found, problems = rows(scenario, "plain", *made)
    assert (found["mts", SITE], found["outside", SITE]) == (("broken", "ok"), ("broken", "ok"))
    assert problems == ()


def test_whoever_serves_inside_alone_turns_the_outside_away(scenario):
    scenario = expecting(scenario, "refused", vantage="outside")
    fence = {"page": {"code": 403}}
    for outside in (measured(SITE, "outside", **SILENT), fine(SITE, "outside", **fence)):
        controls = [fine(CONTROL, vantage) for vantage in ("mts", "tele2", "outside")]
        found, problems = rows(scenario, "plain", fine(SITE, "mts"), outside, *controls)
        assert found["outside", SITE] == ("refused", "ok")
        assert problems == ()


def test_the_share_of_silent_controls():
    assert silent_share(["ok", "ip.drop", "dns.drop", "tls.sni.rst"]) == 0.5
    assert silent_share([]) == 0


def test_the_blocked_site_is_still_found_in_a_healthy_network(scenario, measurements, receipts):
    found = judge(scenario, "on", measurements, receipts)
    assert {row.observed for row in found.rows if row.target == BLOCKED and row.vantage == "mts"} == {
        "tls.sni.rst"
    }


def test_a_portal_answers_for_the_controls_too(scenario):
    other = {"issuer": "hotspot", "leaf": 9}
    at_portal = [fine(SITE, "mts", tls=None, **other), fine(CONTROL, "mts", tls=None, **other)]
    usual = [fine(url, vantage, tls=None) for url in (SITE, CONTROL) for vantage in ("tele2", "outside")]
    found, _ = rows(expecting(scenario, "portal"), "plain", *at_portal, *usual)
    assert (found["mts", SITE][0], found["mts", CONTROL][0]) == ("portal", "portal")
    blocked = [at_portal[0], fine(CONTROL, "mts", tls=None)]
    found, _ = rows(expecting(scenario, "portal"), "plain", *blocked, *usual)
    assert found["mts", SITE][0] == "tls.mitm"


def test_where_a_control_is_silent_only_silence_without_a_rule_is_its_outage(
    scenario, measurements, receipts
):
    made = put(measurements, measured(CONTROL, "mts", **SILENT))
    found = judge(scenario, "on", made, receipts)
    assert row(found, "mts", CONTROL).observed == "outage"
    assert (row(found, "mts", BLOCKED).observed, row(found, "mts", BLOCKED).verdict) == ("tls.sni.rst", "ok")
    assert row(found, "mts", SLOW).observed == "throttle"
    dropped = measured(BLOCKED, "mts", dns=None, tcp=None, tls="generic_timeout_error")
    assert row(judge(scenario, "on", put(made, dropped), receipts), "mts", BLOCKED).observed == "tls.sni.drop"


def test_a_control_that_met_a_rule_is_no_sign_of_an_outage(scenario, measurements, receipts):
    made = put(measurements, measured(CONTROL, "mts", **SILENT))
    made = put(made, measured(SLOW, "mts", **SILENT))
    receipts["mts/tspu"]["rules"]["policer"] = counts()()
    assert row(judge(scenario, "on", made, receipts), "mts", SLOW).observed == "outage"
    receipts["mts/tspu"]["rules"]["grace"] = counts(flow_of(CONTROL, "mts"))(drop=3)
    assert row(judge(scenario, "on", made, receipts), "mts", SLOW).observed == "ip.drop"


def test_what_is_served_inside_is_of_the_same_site(scenario):
    scenario = expecting(scenario, "refused", vantage="outside")
    dead = [measured(SITE, vantage, **SILENT) for vantage in ("mts", "outside")]
    controls = [fine(CONTROL, vantage) for vantage in ("mts", "tele2", "outside")]
    found, _ = rows(scenario, "plain", *dead, *controls)
    assert found["outside", SITE] == ("broken", "differs"), "others' sites that work prove nothing"


def test_what_is_slow_where_a_control_is_slow():
    assert for_everybody("throttle", ["ok", "throttle"]) == "ok"
    assert for_everybody("throttle", ["ok", "tls.sni.drop"]) == "throttle"
