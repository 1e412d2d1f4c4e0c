"""What keeps a file from being read: empty lists, the last year that Python has, several faults."""

import pytest

from tests.scenario.conftest import SCENARIO, Desk

PERIOD = "write 2021-03-10/2021-05-17, 2022-03-04/, 2022-03, 2022 or any"
SOME = "give it at least one entry"


@pytest.mark.parametrize(
    ("old", "new", "place", "message", "remedy"),
    [
        ("period: 2022", "period: 9999", "2 period", "'9999' is no period", PERIOD),
        ("period: 2022", "period: 9999-12-31", "2 period", "'9999-12-31' is no period", PERIOD),
        ("sources: [our choice]", "sources: []", "3 sources", "it is empty", SOME),
        ("world: small.yaml", "world: small.yaml\noperators: []", "5 operators", "it is empty", SOME),
    ],
)
def test_is_refused(desk: Desk, old: str, new: str, place: str, message: str, remedy: str) -> None:
    problem = desk.problem(old, new)
    assert (problem.place, problem.message, problem.remedy) == (f"x.yaml:{place}", message, remedy)


def test_two_faults_of_one_censor_hide_no_other_censor(desk: Desk) -> None:
    """One is the censor's own, one a rule's: the other censors and what places them are as they were."""
    more = """\
  second:
    profile: t22
    hop: wrong
    rules:
      - {name: r, match: {tls.sni: "not a name"}, action: {rst: {ttl: 300}}}
"""
    text = SCENARIO.replace("phases:\n", f"{more}phases:\n", 1)
    desk.path.write_text(text.replace("{mts: tspu}", "{mts: [tspu, second]}"))
    assert [problem.place for problem in desk.problems()] == [
        "x.yaml:14 censors.second.hop",
        "x.yaml:16 censors.second.rules[0].match.tls.sni",
        "x.yaml:16 censors.second.rules[0].action.rst.ttl",
    ]
