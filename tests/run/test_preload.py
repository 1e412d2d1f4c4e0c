"""What is loaded once for several censors."""

from dataclasses import replace

from testbed.censor.match import Match
from testbed.censor.names import NameList
from testbed.model import Placement
from testbed.run.preload import compiled_once
from testbed.scenario.loader import load


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
