"""Policy, file and wire beside each other: what is said where they do not agree."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.dryrun.ask import Asker
from testbed.dryrun.threeway import acting, differences, wire_records
from testbed.model import OUTSIDE
from testbed.scenario.loader import load
from testbed.truth.judge import Row
from tests.dryrun.conftest import text

URL, RULE = "https://twitter.com/", "mts/box/rule"
EXPECT = f'{{phase: on, vantage: mts, target: "{URL}", outcome: tls.sni.rst, by: rule}}'
SEEN = Row("mts", URL, "expectation", "tls.sni.rst", "tls.sni.rst", "ok", "rule", claimed=2, kernel=2)


@pytest.fixture
def asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asker:
    monkeypatch.chdir(tmp_path)
    Path("one.yaml").write_text(text("{tls.sni: twitter.com}", "rst-rewrite", expect=EXPECT))
    return Asker(load("one.yaml"))


def test_all_three_agree(asker: Asker) -> None:
    assert list(differences(asker, "on", [SEEN], 4)) == []
    outside = Row(OUTSIDE, URL, "reference", "ok", "ok", "ok")
    assert list(differences(asker, "on", [SEEN, outside], 4)) == []


def test_the_wire_saw_something_else(asker: Asker) -> None:
    free = replace(SEEN, observed="ok", verdict="differs", claimed=0, kernel=0)
    (said,) = map(str, differences(asker, "on", [free], 4))
    assert said == (
        "one.yaml:17 expect[0]: https://twitter.com/ from mts in phase on: policy says tls.sni.rst by "
        "mts/box/rule; file expects tls.sni.rst by rule; wire saw ok"
    )


def test_the_effect_came_by_another_rule(asker: Asker) -> None:
    other = replace(SEEN, verdict="differs", claimed=0, kernel=0, others=("mts/box/other",))
    (said,) = map(str, differences(asker, "on", [other], 4))
    assert said.endswith("wire saw tls.sni.rst by mts/box/other")


def test_file_and_wire_agree_and_the_rules_do_not_give_it(asker: Asker) -> None:
    """The rule is gone from the policy that is asked: the effect removed changes the truth."""
    scenario = asker.scenario
    phases = {name: replace(phase, placements=()) for name, phase in scenario.phases.items()}
    (said,) = map(str, differences(Asker(replace(scenario, phases=phases)), "on", [SEEN], 4))
    assert "policy says ok; file expects tls.sni.rst by rule; wire saw tls.sni.rst" in said


def test_a_rule_that_fired_where_nothing_is_expected(asker: Asker) -> None:
    row = Row("beeline", "(any)", "expectation", "ok", "interference", "unexpected receipt", "box/rule", 3, 3)
    (said,) = map(str, differences(asker, "on", [row], 4))
    assert said.endswith(
        "from beeline in phase on: policy says ok; file expects ok; wire saw interference by box/rule"
    )


def test_what_the_wire_saw_has_the_shape_of_policys_record(asker: Asker) -> None:
    seen = replace(SEEN, directions={RULE: "down"})
    (wire,) = wire_records(asker, "on", [seen], 4)
    policy = next(asker.records("on", [one for one in _expected(asker) if one.vantage == "mts"]))
    same = {"scenario", "phase", "vantage", "target", "transport", "ipv", "client", "outcome", "mechanism"}
    same |= {"layer", "rule", "rules", "action", "direction", "hop", "residual", "control", "onset", "end"}
    same |= {"chances", "observable", "measurable"}
    assert {name: getattr(wire, name) for name in same} == {name: getattr(policy, name) for name in same}
    assert (policy.level, wire.level) == ("policy", "wire")
    assert (wire.action, wire.direction, wire.residual) == ("rst-rewrite", "down", 75.0)


def test_without_an_act_the_wire_has_neither_rule_nor_direction(asker: Asker) -> None:
    free = replace(SEEN, observed="ok", verdict="differs", claimed=0, kernel=0)
    (wire,) = wire_records(asker, "on", [free], 4)
    assert (wire.rule, wire.action, wire.direction, wire.hop, wire.residual) == ("", "", "", None, None)


def _expected(asker: Asker):  # type: ignore[no-untyped-def]
    from testbed.truth.expected import truth

    return truth(asker.scenario, "on")


def test_a_rule_acted_if_core_and_kernel_say_so(asker):
    assert acting(asker, "on", SEEN) == (RULE,)
    for one in (replace(SEEN, claimed=0), replace(SEEN, kernel=0)):
        assert acting(asker, "on", one) == ()
        assert acting(asker, "on", replace(one, others=("mts/box/other",))) == ("mts/box/other",)
