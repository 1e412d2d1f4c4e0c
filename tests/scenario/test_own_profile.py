"""A profile in a Python file beside the scenario: `profile: boxes.py:MINE`."""

import pytest

from testbed.censor.profiles import PROFILES
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
from tests.censor.line import Line, hello
from tests.scenario.conftest import Desk

BOXES = """\
from dataclasses import replace

from testbed.censor.cited import Cited, our_choice
from testbed.censor.profiles import PROFILES

MINE = replace(PROFILES["t22"], name="mine", tls_ports=our_choice(()))
"""


def use(desk: Desk, source: str = BOXES, name: str = "boxes.py:MINE") -> None:
    (desk.folder / "boxes.py").write_text(source)
    desk.path.write_text(desk.path.read_text().replace("profile: t22", f"profile: {name}"))


def test_it_decides(desk: Desk) -> None:
    """This one looks for server names on every port."""
    for own in (True, False):
        if own:
            use(desk)
        else:
            desk.path.write_text(desk.path.read_text().replace("boxes.py:MINE", "t22"))
        line = Line(desk.load().phases["block"].placements[0].policy, dport=8443)
        line.handshake()
        assert line.L(payload=hello("twitter.com")).fired is own


def test_shown_in_json_and_in_words(desk: Desk) -> None:
    use(desk)
    scenario = desk.load()
    assert to_json(scenario)["phases"]["block"]["placements"][0]["profile"] == "mine"
    assert rule_lines(scenario) == ["tspu (mine, model T) reset: tls.sni twitter.com -> rst-rewrite"]
    assert "boxes.py" in scenario.files


def test_with_another_model(desk: Desk) -> None:
    use(desk, name="boxes.py:MINE\n    model: R")
    profile = desk.load().phases["block"].placements[0].policy.profile
    assert (profile.name, profile.tls_ports.value, profile.models.value) == ("mine", (), (("R", 1.0),))


def test_hop_is_its_kinds(desk: Desk) -> None:
    use(desk, BOXES.replace('PROFILES["t22"]', 'PROFILES["leg-active"]'))
    assert desk.load().phases["block"].placements[0].hop == PROFILES["leg-active"].default_hop == 5


def changed(text: str) -> str:
    return BOXES.replace("tls_ports=our_choice(())", text)


WRONG = {  # source, name, message, remedy
    "no such file": (BOXES, "boxs.py:MINE", "there is no file 'boxs.py'", "did you mean 'boxes.py'?"),
    "no such object": (BOXES, "boxes.py:MIN", "boxes.py has no object 'MIN'", "did you mean 'MINE'?"),
    "not a profile": (BOXES, "boxes.py:PROFILES", "boxes.py:1: PROFILES is {", "an object of testbed.censor"),
    "a class": (
        "class MINE: pass\n",
        "boxes.py:MINE",
        "boxes.py:1: MINE is the class MINE, not a profile",
        "expected an object of testbed.censor.profile.Profile",
    ),
    "exits": ("raise SystemExit\n", "boxes.py:MINE", "boxes.py:1 does not run: it calls sys.exit", "remove"),
    "an unknown field": (
        changed("ports=5"),
        "boxes.py:MINE",
        "boxes.py:6 does not run: TypeError: Profile.__init__() got an unexpected keyword argument 'ports'",
        "run it with python",
    ),
    "the name of another": (
        BOXES.replace('"mine"', '"t21"'),
        "boxes.py:MINE",
        "boxes.py:6: the name 't21' is a built-in profile's",
        "give it its own",
    ),
    "a number without a source": (
        changed("give_up_over=100"),
        "boxes.py:MINE",
        "boxes.py:6: give_up_over is 100",
        "write give_up_over=our_choice(100)",
    ),
    "a flag that is none": (
        changed('in_path="yes"'),
        "boxes.py:MINE",
        "boxes.py:6: in_path is 'yes'",
        "expected True or False",
    ),
    "an unknown kind": (
        changed('kind="mine"'),
        "boxes.py:MINE",
        "boxes.py:6: kind is 'mine'",
        "expected one of 'tspu', 'operator', 'transit', 'outage'",
    ),
    "an unknown model": (
        changed('models=our_choice((("Q", 1.0),))'),
        "boxes.py:MINE",
        "boxes.py:6: unknown model 'Q'",
        "there are: A, C",
    ),
    "models without shares": (
        changed('models=our_choice(("T", "R"))'),
        "boxes.py:MINE",
        "boxes.py fails: ValueError: not enough values to unpack",
        "run it with python",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_says_what_is_wrong(case: str, desk: Desk) -> None:
    source, name, message, remedy = WRONG[case]
    use(desk, source, name)
    problem = desk.problem()
    assert problem.place == "x.yaml:7 censors.tspu.profile"
    assert message in problem.message
    assert remedy in problem.remedy


def test_editors_accept_it() -> None:
    assert scenario_schema()["$defs"]["CensorPart"]["properties"]["profile"] == {
        "anyOf": [{"enum": sorted(PROFILES)}, {"type": "string", "pattern": r"\.py:"}]
    }
