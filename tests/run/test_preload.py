"""What is loaded once for several censors."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed import Job, execute
from testbed.censor import core
from testbed.censor.match import Match
from testbed.censor.names import NameList
from testbed.model import Placement
from testbed.run.preload import compiled_once
from testbed.scenario.loader import load

SCENARIO = """\
title: One policy at two operators
period: any
sources: [our choice]
censors:
  box:
    profile: t22
    rules: [{name: reset, match: {tls.sni: [twitter.com]}, action: rst-rewrite}]
phases: {p: {mts: box, beeline: box}}
default_phase: p
controls: ["https://vk.com/"]
"""


def censors(*operators: str) -> list[Placement]:
    """One policy, of one object, at a hop of each operator."""
    some = load("twitter-facebook-block-2022-03")
    placement = next(one for one in some.phases["block"].placements if one.at == "hop")
    return [replace(placement, operator=operator) for operator in operators]


def test_rules_of_a_policy_that_several_have_are_compiled_once_and_one_alone_compiles_its_own() -> None:
    assert compiled_once(censors("mts")) == {}
    two = censors("mts", "beeline")
    ready = compiled_once(two)
    assert list(ready) == [id(two[0].policy)] == [id(two[1].policy)]
    assert len(ready[id(two[0].policy)]) == len(two[0].policy.rules)


def test_what_cannot_be_compiled_is_left_to_the_censor() -> None:
    one = censors("mts")[0]
    rule = one.policy.rules[0]
    wrong = replace(rule, match=Match(tls_sni=NameList((None,))))  # type: ignore[arg-type]
    policy = replace(one.policy, rules=(wrong,))
    assert compiled_once([replace(one, policy=policy, operator=key) for key in ("mts", "beeline")]) == {}


@pytest.mark.world
def test_the_censors_of_a_run_compile_nothing_that_two_of_them_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("compiled in the censor")

    monkeypatch.setattr(core, "compiled", refuse)
    (tmp_path / "one-box.yaml").write_text(SCENARIO)
    job = Job(
        str(tmp_path / "one-box.yaml"), vantages=("mts", "beeline"), command=["true"], out=tmp_path / "two"
    )
    assert execute(job).exit_status == 0
    alone = replace(job, vantages=("mts",), out=tmp_path / "one")
    assert "compiled in the censor" in str(execute(alone).problems)
