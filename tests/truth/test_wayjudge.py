"""What a circumvention proves: beside the direct way, and beside the same tool where nothing filters."""

from dataclasses import replace

import pytest

from testbed.measurement.kinds import parse
from testbed.measurement.passage import Passage
from testbed.model import Circumvention, Recipe
from testbed.truth.wayjudge import WayTrial, judge_ways, way_problems, ways_verdict

from .timelines import fine, flow_of, measured

TARGET = "https://site.example/"
RESET = measured(TARGET, dns=None, tcp=None, tls="connection_reset")
WORKS, OUTSIDE = fine(), fine(vantage="outside")
WAY = Circumvention("split", "block", "mts", parse(TARGET), Recipe("split", passage=Passage(hello="padded")))
TRIAL = WayTrial(WAY, RESET, OUTSIDE, WORKS, OUTSIDE)
FAILS = replace(TRIAL, way=replace(WAY, fails_by="tspu/reset"), through=RESET, flows=("tcp a:1 > b:443",))
ACTED = {
    "mts/tspu": {"rules": {"reset": {"flows": {"tcp a:1 > b:443": {"claimed": 1, "kernel": 2}}}}},
}
ELSEWHERE = {"mts/tspu": {"rules": {"reset": {"flows": {flow_of(TARGET, "x"): {"claimed": 1, "kernel": 2}}}}}}


def verdict(trial: WayTrial, receipts=None) -> tuple[str, str, str, str]:
    (row,) = judge_ways([trial], receipts or {})
    return row.direct, row.observed, row.free, row.verdict


def test_it_gets_through_where_the_direct_way_is_blocked():
    assert verdict(TRIAL) == ("tls.sni.rst", "ok", "ok", "ok")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"through": RESET}, ("tls.sni.rst", "tls.sni.rst", "ok", "differs")),
        ({"through": "the tool ended"}, ("tls.sni.rst", "not ready", "ok", "differs")),
        ({"direct": WORKS}, ("ok", "ok", "ok", "not needed")),
        ({"free": "the tool ended"}, ("tls.sni.rst", "ok", "not ready", "broken by itself")),
        (
            {"free": RESET, "through": RESET},
            ("tls.sni.rst", "broken", "tls.sni.rst", "broken by itself"),
        ),
        ({"free": RESET}, ("tls.sni.rst", "ok", "tls.sni.rst", "ok")),  # its decoy reaches a server so near
        ({"direct": WORKS, "way": replace(WAY, direct="ok")}, ("ok", "ok", "ok", "ok")),
        ({"way": replace(WAY, direct="ok")}, ("tls.sni.rst", "ok", "ok", "not needed")),
        ({"way": replace(WAY, fails_by="reset")}, ("tls.sni.rst", "ok", "ok", "differs")),
    ],
)
def test_what_else_there_may_be(change, expected):
    assert verdict(replace(TRIAL, **change)) == expected


def test_it_fails_by_the_rule_that_is_named():
    assert verdict(FAILS, ACTED)[3] == "ok"
    (row,) = judge_ways([FAILS], ACTED)
    assert row.acted == ("mts/tspu/reset",)


@pytest.mark.parametrize("receipts", [{}, ELSEWHERE])
def test_it_fails_and_no_rule_acted_on_its_flows(receipts):
    assert verdict(FAILS, receipts)[3] == "by another cause"


def test_it_fails_by_a_rule_of_the_resolver():
    trial = replace(FAILS, flows=(), at_resolver=("mts/isp-dns/lie",), way=replace(WAY, fails_by="lie"))
    assert verdict(trial)[3] == "ok"
    assert verdict(replace(trial, at_resolver=()))[3] == "by another cause"


def test_what_is_not_installed_is_skipped_by_name():
    (row,) = judge_ways([WayTrial(WAY, skipped="wg is not installed")], {})
    assert (row.verdict, row.why) == ("skipped", "wg is not installed")
    assert ways_verdict([row]) == "circumvention as expected: 0 of 0, 1 skipped"
    assert way_problems([row]) == []


def test_an_entry_that_proves_nothing_makes_the_run_invalid():
    rows = judge_ways([replace(TRIAL, direct=WORKS), replace(TRIAL, free="it ended"), TRIAL], {})
    said = f"the method split to {TARGET} from mts proves nothing"
    assert way_problems(rows) == [
        f"{said}: the direct way is ok",
        f"{said}: where nothing filters, it is not ready (it ended)",
    ]
    assert ways_verdict(rows) == "circumvention NOT as expected; agreeing: 1 of 3"


def test_the_direct_way_is_throttled_if_a_rule_acted_on_its_flows():
    slow = "https://site.example/bytes/400000"
    outside = fine(slow, "outside", speed=(212e6, 0.1))
    direct = fine(slow, speed=(138e3, 8.0), end=8.1)
    trial = replace(TRIAL, way=replace(WAY, target=parse(slow)), direct=direct, direct_outside=outside)
    flows = {flow_of(slow, "mts"): {"claimed": 1, "kernel": 17}}
    assert verdict(trial, {"mts/tspu": {"rules": {"slow": {"flows": flows}}}})[0] == "throttle"
    assert verdict(trial, {})[0] == "ok"


def test_without_a_direct_way_there_is_no_label():
    assert verdict(replace(TRIAL, direct=None))[0] == ""
