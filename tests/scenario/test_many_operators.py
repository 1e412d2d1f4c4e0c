"""A scenario of a hundred operators is read, and what is wrong everywhere is one problem."""

import pytest

from bench.operators import NAMES, OPERATORS, SITES, write_scenario
from testbed.errors import InputError
from testbed.scenario.loader import load


def test_a_hundred_operators_two_hundred_sites_ten_thousand_names(tmp_path):
    scenario = load(str(write_scenario(tmp_path, OPERATORS)))
    (rule,) = scenario.phases["block"].placements[-1].policy.rules
    assert len(scenario.phases["block"].placements) == OPERATORS == 100
    assert len(scenario.world.sites) == SITES == 200
    assert str(rule.match["tls.sni"]).startswith(f"NameList({NAMES}: twitter.com, listed0.example")


def test_a_rule_that_is_in_force_nowhere_is_one_problem(tmp_path):
    file = write_scenario(tmp_path, 6)
    file.write_text(file.read_text().replace("by: reset", "by: rset"))
    with pytest.raises(InputError) as raised:
        load(str(file))
    assert str(raised.value) == (
        f"{file}:28 expect[0].by: no rule 'rset' is in force at op000, op001, op002 and 3 more "
        "in phase 'block'; did you mean 'reset'?"
    )
