"""A technique in a Python file beside the scenario."""

import textwrap

import pytest

from tests.scenario.conftest import Desk

GOOD = """\
from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.actions.base import Action
from testbed.censor.units import Seconds


@dataclass(frozen=True, slots=True)
class Nothing(Action):
    key: ClassVar[str] = "nothing"

    after: Seconds = 5.0
    mode: str = "soft"
"""


def use(desk: Desk, source: str, action: str = "{nothing.py:Nothing: {after: 2 min}}") -> None:
    (desk.folder / "nothing.py").write_text(textwrap.dedent(source))
    desk.rule("{tls.sni: a.com}", action)


def test_is_loaded_with_its_parameters(desk: Desk) -> None:
    use(desk, GOOD)
    scenario = desk.load()
    action = scenario.phases["block"][0].policy.rules[0].action
    assert (action.key, action.after, action.mode) == ("nothing", 120.0, "soft")
    assert "nothing.py" in scenario.files


@pytest.mark.parametrize(
    ("source", "action", "message", "remedy"),
    [
        (GOOD, "{nothin.py:Nothing: {}}", "there is no file 'nothin.py'", "did you mean 'nothing.py'?"),
        (GOOD, "{../nothing.py:Nothing: {}}", "there is no file '../nothing.py'", "nothing.py"),
        (GOOD, "{nothing.py:Nothng: {}}", "nothing.py has no class 'Nothng'", "did you mean 'Nothing'?"),
        (GOOD, "{nothing.py:Nothing: {aftr: 2 s}}", "unknown key 'aftr'", "did you mean 'after'?"),
        (GOOD, "{nothing.py:Nothing: {after: 2}}", "2 is not a time: it has no unit", "75 s"),
        (GOOD, "{nothing.py:Nothing: [1]}", "a mapping is wanted", "key: value"),
        (
            "class Nothing: pass\n",
            "{nothing.py:Nothing: {}}",
            "Nothing in nothing.py is not an action",
            "derive it",
        ),
        (
            GOOD.replace("@dataclass(frozen=True, slots=True)\n", ""),
            "{nothing.py:Nothing: {}}",
            "not a frozen dataclass",
            "@dataclass",
        ),
        (GOOD.replace('"nothing"', '""'), "{nothing.py:Nothing: {}}", "Nothing has no key", "ClassVar"),
        (
            GOOD.replace("after: Seconds = 5.0", "after: dict = None"),
            "{nothing.py:Nothing: {}}",
            "cannot have the type",
            "",
        ),
        (
            "x = 1\n1 / 0\n",
            "{nothing.py:Nothing: {}}",
            "nothing.py:2 does not run: ZeroDivisionError",
            "python",
        ),
        ("x = (\n", "{nothing.py:Nothing: {}}", "nothing.py:1 does not run: SyntaxError", "python"),
    ],
)
def test_says_what_is_wrong(source: str, action: str, message: str, remedy: str, desk: Desk) -> None:
    use(desk, source, action)
    problem = desk.problem()
    assert problem.place.startswith("x.yaml:11 censors.tspu.rules[0].action")
    assert message in problem.message
    assert remedy in problem.remedy
