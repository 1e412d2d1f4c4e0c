"""A profile in a Python file beside the scenario: `profile: boxes.py:MINE`."""

from dataclasses import fields

import pytest

from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
from testbed.scenario.typedvalues import faults_of
from tests.censor.line import Line, hello
from tests.scenario.conftest import Desk

BOXES = """\
from dataclasses import replace

from testbed.censor.cited import Cited, our_choice
from testbed.censor.profiles import PROFILES

MINE = replace(PROFILES["t22"], name="mine", tls_ports=our_choice(()))
"""


OWN_ACTION = """\
from dataclasses import dataclass
from typing import ClassVar
from testbed.censor.actions.base import Action
@dataclass(frozen=True, slots=True)
class Mine(Action[None]):
    key: ClassVar[str] = "mine"
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
        changed('models=our_choice(("T",))'),
        "boxes.py:MINE",
        "boxes.py:6: models[0] is 'T'",
        "expected a tuple of 2",
    ),
}
OF_VALUES = {  # what is written -> message, remedy
    'models=our_choice((("T", 0.1), ("R", 0.2)))': ("add up to 30 %", "make them add up to 100 %"),
    'models=our_choice((("T", 1.5), ("R", 0.5)))': ("models[0][1] is 1.5", "expected 0 to 1"),
    'models=our_choice((("T", 0.5), ("T", 0.5)))': ("a model has several shares", "give it one"),
    "models=our_choice(())": ("add up to 0 %", "make them add up to 100 %"),
    'tls_ports=our_choice(("443",))': ("tls_ports[0] is '443'", "expected a whole number"),
    "tls_ports=our_choice((70000,))": ("tls_ports[0] is 70000", "expected 1 to 65535"),
    "tls_ports=our_choice(443)": ("tls_ports is 443", "expected a tuple"),
    'give_up_over=our_choice("many")': ("give_up_over is 'many'", "expected a whole number"),
    "give_up_over=our_choice(-1)": ("give_up_over is -1", "expected 0 to 65535"),
    "extra_packets=our_choice(3)": ("extra_packets is 3", "expected a tuple of 2"),
    "extra_packets=our_choice((9, 3))": ("extra_packets is (9, 3)", "write the smaller one first"),
    "extra_packets=our_choice((-3, 3))": ("extra_packets[0] is -3", "expected 0 to 1000000"),
    'residual={"rst-rewrite": 5.0}': ("residual['rst-rewrite'] is 5.0", "=our_choice(5.0)"),
    'residual={"rst-rewrit": our_choice(5.0)}': ("unknown action 'rst-rewrit'", "mean 'rst-rewrite'?"),
    'quic_residual={"drpo": our_choice(5.0)}': ("unknown action 'drpo'", "mean 'drop'?"),
    'restarted=frozenset({"nope"})': (
        "restarted of the profile 'mine': unknown action 'nope'",
        "did you mean 'page'?",
    ),
    'restarted=["drop"]': ("restarted is ['drop']", "expected a frozenset"),
    'idle_opening=our_choice("60 s")': ("idle_opening is '60 s'", "expected a number"),
    "idle_opening=our_choice(-1.0)": ("idle_opening is -1.0", "expected 0 to 3153600000"),
    'idle_opening=our_choice(float("nan"))': ("idle_opening is nan", "expected a number"),
    'give_up_over=Cited(100, "IMC21", "Z")': ("give_up_over.confidence is 'Z'", "one of 'H', 'M', 'L'"),
    'give_up_over=Cited(100, "", "H")': ("give_up_over.source is ''", "name where it was measured"),
    "inside_opens=our_choice(1)": ("inside_opens is 1", "expected True or False"),
    "fragments=our_choice(45)": ("fragments is 45", "expected a FragmentForm"),
    "quic_layouts=our_choice(None)": ("quic_layouts is None", "expected a Layouts"),
    "reset=our_choice(__import__('testbed.censor.profile', fromlist=['x']).ResetForm(256))": (
        "reset.hop_limit is 256",
        "expected 1 to 255",
    ),
    "name=5": ("name is 5", "expected text"),
}


@pytest.mark.parametrize("text", OF_VALUES)
def test_values_are_what_their_types_say(text: str, desk: Desk) -> None:
    use(desk, changed(text) if not text.startswith("name") else BOXES.replace('name="mine"', text))
    problem = desk.problem()
    message, remedy = OF_VALUES[text]
    assert problem.place == "x.yaml:7 censors.tspu.profile"
    assert message in problem.message
    assert remedy in problem.remedy


def test_every_field_is_looked_at(desk: Desk) -> None:
    """A value that no field can have, in each."""
    for field in fields(Profile):
        use(
            desk,
            changed(f"{field.name}=object()")
            if field.name != "name"
            else BOXES.replace('"mine"', "object()"),
        )
        assert desk.problem().message.startswith(f"boxes.py:6: {field.name} is <object"), field.name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_built_in_ones_keep_to_it(profile: Profile) -> None:
    assert [*faults_of(profile)] == []


def test_it_may_have_the_residual_time_of_an_action_of_ones_own(desk: Desk) -> None:
    (desk.folder / "mine.py").write_text(OWN_ACTION)
    use(desk, changed('residual={"mine": our_choice(5.0)}'))
    desk.path.write_text(desk.path.read_text().replace("rst-rewrite", '{"mine.py:Mine": {}}'))
    assert desk.load()


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
