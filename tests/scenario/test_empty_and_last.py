"""Lists that are empty, and the last year that Python has: refused by place, value and remedy."""

import pytest

from tests.scenario.conftest import Desk

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
