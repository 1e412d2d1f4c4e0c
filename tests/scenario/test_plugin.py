"""Classes and objects in a Python file beside the scenario: what is loaded, and what is refused and how."""

import textwrap
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.cli.main import main
from testbed.errors import Exit, InputError, Problem
from testbed.scenario.loader import load
from testbed.scenario.plugin import is_reference, load_class, load_object
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
LINE = 9  # of the class


def method(text: str) -> str:
    return GOOD + textwrap.indent(f"\n{text}", "    ")


def use(desk: Desk, source: str, action: str = "{nothing.py:Nothing: {after: 2 min}}") -> None:
    (desk.folder / "nothing.py").write_text(source)
    desk.rule("{tls.sni: a.com}", action)


def test_is_loaded_with_its_parameters(desk: Desk) -> None:
    use(desk, GOOD)
    scenario = desk.load()
    action = scenario.phases["block"].placements[0].policy.rules[0].action
    assert (action.key, action.after, action.mode) == ("nothing", 120.0, "soft")
    assert "nothing.py" in scenario.files


NAMED = {  # what the scenario writes -> message, remedy
    "no such file": (
        "{nothin.py:Nothing: {}}",
        "there is no file 'nothin.py' beside the scenario",
        "did you mean 'nothing.py'?",
    ),
    "not beside it": (
        "{../nothing.py:Nothing: {}}",
        "there is no file '../nothing.py' beside the scenario",
        "did you mean 'nothing.py'?",
    ),
    "no name of a file": (
        f"{{{'x' * 300}.py:Nothing: {{}}}}",
        f"there is no file '{'x' * 80}' beside the scenario",
        "there are: nothing.py",
    ),
    "no such class": (
        "{nothing.py:Nothng: {}}",
        "nothing.py has no class 'Nothng'",
        "did you mean 'Nothing'?",
    ),
    "no class named": (
        "{'nothing.py:': {}}",
        "'nothing.py:' names no class",
        "write nothing.py:Name, the class's name in it",
    ),
    "two classes named": (
        "{nothing.py:a:b: {}}",
        "'nothing.py:a:b' names no class",
        "write nothing.py:Name, the class's name in it",
    ),
    "unknown parameter": ("{nothing.py:Nothing: {aftr: 2 s}}", "unknown key 'aftr'", "did you mean 'after'?"),
    "no unit": ("{nothing.py:Nothing: {after: 2}}", "2 is not a time: it has no unit", "write it like 75 s"),
    "list of parameters": (
        "{nothing.py:Nothing: [1]}",
        "expected key: value pairs, found [1]",
        "write 'key: value', one per line",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_wrong_in_the_scenario(case: str, desk: Desk) -> None:
    action, message, remedy = NAMED[case]
    use(desk, GOOD, action)
    problem = desk.problem()
    assert problem.place.startswith("x.yaml:11 censors.tspu.rules[0].action")
    assert (problem.message, problem.remedy) == (message, remedy)


SEE = "run it with python to see the whole error"
NO_PROGRAM = "remove the call: the file is imported, not run as a program"
WRITE = "write def on_match(self, ctx)"
RUNS = {  # what the file holds -> message, remedy
    "raises": ("x = 1\n1 / 0\n", "nothing.py:2 does not run: ZeroDivisionError: division by zero", SEE),
    "no Python": (
        "x = (\n",
        "nothing.py:1 does not run: SyntaxError: '(' was never closed (nothing.py, line 1)",
        SEE,
    ),
    "NUL": (
        "x = 1\0\n",
        "nothing.py holds a zero byte: no Python",
        "name a Python file",
    ),
    "no module": (
        "import nowhere_at_all\n",
        "nothing.py:1 does not run: ModuleNotFoundError: No module named 'nowhere_at_all'",
        SEE,
    ),
    "sys.exit": ("import sys\nsys.exit(0)\n", "nothing.py:2 does not run: it calls sys.exit(0)", NO_PROGRAM),
    "exit with words": (
        "raise SystemExit('bye')\n",
        "nothing.py:1 does not run: it calls sys.exit('bye')",
        NO_PROGRAM,
    ),
    "BaseException": ("raise BaseException('all')\n", "nothing.py:1 does not run: BaseException: all", SEE),
    "GeneratorExit": ("\nraise GeneratorExit\n", "nothing.py:2 does not run: GeneratorExit: ", SEE),
    "an error without words": (
        "class Mute(Exception):\n    def __str__(self): raise self\nraise Mute\n",
        "nothing.py:3 does not run: Mute: (its message cannot be read)",
        SEE,
    ),
    "recursion": (
        "def f(): f()\nf()\n",
        "nothing.py:1 does not run: RecursionError: maximum recursion depth exceeded",
        SEE,
    ),
    "not a class": (
        "Nothing = 5\n",
        "nothing.py:1: Nothing is not a class but 5",
        "expected a class derived from testbed.censor.actions.base.Action",
    ),
    "not an action": (
        "\n\nclass Nothing: pass\n",
        "nothing.py:3: Nothing is not an action",
        "derive it from testbed.censor.actions.base.Action",
    ),
    "no dataclass": (
        GOOD.replace("@dataclass(frozen=True, slots=True)\n", ""),
        "nothing.py:8: Nothing is not a frozen dataclass",
        "write @dataclass(frozen=True, slots=True) above it",
    ),
    "empty key": (
        GOOD.replace('"nothing"', '""'),
        f"nothing.py:{LINE}: Nothing has no key",
        'write key: ClassVar[str] = "nothing"',
    ),
    "no key": (
        GOOD.replace('    key: ClassVar[str] = "nothing"\n', ""),
        f"nothing.py:{LINE}: Nothing has no key",
        'write key: ClassVar[str] = "nothing"',
    ),
    "key of a wrong type": (
        GOOD.replace('"nothing"', "7"),
        "nothing.py:10: Nothing.key is not text but 7",
        "write key: ClassVar[str] = …",
    ),
    "flag of a wrong type": (
        GOOD + '    keeps_inspecting: ClassVar[bool] = "yes"\n',
        "nothing.py:14: Nothing.keeps_inspecting is not True or False but 'yes'",
        "write keeps_inspecting: ClassVar[bool] = …",
    ),
    "method that is none": (
        GOOD + "    on_match: ClassVar = 5\n",
        "nothing.py:14: Nothing.on_match is not a method but 5",
        WRITE,
    ),
    "method without packet": (
        method("def on_match(self): pass\n"),
        "nothing.py:15: Nothing.on_match cannot be called as def on_match(self, ctx)",
        WRITE,
    ),
    "method without self": (
        method("def on_match(): pass\n"),
        "nothing.py:15: Nothing.on_match cannot be called as def on_match(self, ctx)",
        WRITE,
    ),
    "method that wants more": (
        method("def on_match(self, ctx, more): pass\n"),
        "nothing.py:15: Nothing.on_match cannot be called as def on_match(self, ctx)",
        WRITE,
    ),
    "async method": (
        method("async def on_match(self, ctx): pass\n"),
        "nothing.py:15: Nothing.on_match is async",
        "expected def on_match(self, ctx)",
    ),
    "generator": (
        method("def on_match(self, ctx): yield 1\n"),
        "nothing.py:15: Nothing.on_match is a generator",
        "expected def on_match(self, ctx)",
    ),
    "parameter of a wrong type": (
        GOOD.replace("after: Seconds = 5.0", "after: dict = None"),
        "nothing.py: a value of a scenario file cannot have the type dict",
        "",
    ),
    "type that does not exist": (
        GOOD.replace("after: Seconds = 5.0", 'after: "Minutes" = None'),
        "nothing.py fails: NameError: name 'Minutes' is not defined",
        SEE,
    ),
    "parameters refused": (method("def __post_init__(self): raise ValueError('too soft')\n"), "too soft", ""),
    "raises when made": (
        method("def __post_init__(self): 1 / 0\n"),
        "nothing.py:15 fails: ZeroDivisionError: division by zero",
        SEE,
    ),
    "exits when made": (
        method("def __post_init__(self): raise SystemExit\n"),
        "nothing.py:15 fails: it calls sys.exit(None)",
        NO_PROGRAM,
    ),
}


@pytest.mark.parametrize("case", RUNS)
def test_wrong_in_the_file(case: str, desk: Desk) -> None:
    source, message, remedy = RUNS[case]
    use(desk, source)
    problem = desk.problem()
    assert problem.place == "x.yaml:11 censors.tspu.rules[0].action.nothing.py:Nothing"
    assert problem.message == message
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        "def on_match(self, ctx, more=1): return Decision()\n",
        "def on_match(self, *anything): return Decision()\n",
        "@staticmethod\ndef on_match(packet): return Decision()\n",
        "@classmethod\ndef on_match(cls, packet): return Decision()\n",
        "on_match: ClassVar = lambda self, ctx: Decision()\n",
    ],
)
def test_methods_that_can_be_called_as_the_base(text: str, desk: Desk) -> None:
    use(desk, f"from testbed.censor.decision import Decision\n{method(text)}")
    assert desk.load().phases["block"].placements[0].policy.rules[0].action.key == "nothing"


@pytest.mark.parametrize("command", ["check", "show", "truth", "run"])
def test_a_file_that_exits_does_not_end_the_program_in_silence(
    command: str, desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    use(desk, "import sys\nsys.exit(0)\n")
    with pytest.raises(SystemExit) as ended:
        main([command, str(desk.path)])
    assert ended.value.code == Exit.INPUT
    printed = "".join(capfd.readouterr())
    assert f"nothing.py:2 does not run: it calls sys.exit(0); {NO_PROGRAM}" in printed


def test_lines_are_found_from_a_relative_path_too(desk: Desk) -> None:
    use(desk, "x = 1\n1 / 0\n")
    with pytest.raises(InputError, match=r"nothing\.py:2 does not run: ZeroDivisionError"):
        load(Path(desk.path.name))


def test_interrupting_passes(desk: Desk) -> None:
    use(desk, "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        desk.load()


def test_one_wrong_file_does_not_hide_other_problems(desk: Desk) -> None:
    use(desk, "import sys\nsys.exit(0)\n")
    text = desk.path.read_text()
    desk.path.write_text(text.replace("default_phase: block", "default_phase: blok"))
    assert [problem.place for problem in desk.problems()] == [
        "x.yaml:11 censors.tspu.rules[0].action.nothing.py:Nothing",
        "x.yaml:13 default_phase",
    ]


class Needs(ABC):
    """A base with obligations of every kind."""

    key: ClassVar[str]
    flag: ClassVar[bool] = False

    @abstractmethod
    def start(self, port: int, *, loud: bool) -> str: ...

    async def serve(self) -> None:
        return None

    @property
    def title(self) -> str:
        return "title"


class Speaks(Protocol):
    def speak(self, words: str) -> None: ...


WHOLE = """\
from tests.scenario.test_plugin import Needs


class Mine(Needs):
    key = "mine"

    def start(self, port, *, loud):
        return "started"
"""


def refused(folder: Path, source: str, base: type = Needs, required: tuple[str, ...] = ()) -> Problem:
    (folder / "mine.py").write_text(source)
    with pytest.raises(InputError) as caught:
        load_class(folder, "mine.py:Mine", "x.yaml:1", base, "a thing", required)
    (problem,) = caught.value.problems
    assert problem.place == "x.yaml:1"
    return problem


def test_any_base(desk: Desk) -> None:
    (desk.folder / "mine.py").write_text(WHOLE)
    found = load_class(desk.folder, "mine.py:Mine", "x.yaml:1", Needs, "a thing")
    assert found.value().start(1, loud=True) == "started"
    assert (found.place, found.path, len(found.digest)) == ("mine.py:4", desk.folder / "mine.py", 64)


START = "write def start(self, port, *, loud)"
BASES = {
    "abstract method": (WHOLE[: WHOLE.index("    def")], "mine.py:4: Mine has no method 'start'", START),
    "keyword": (
        WHOLE.replace("*, loud", "*, quiet"),
        "mine.py:7: Mine.start cannot be called as def start(self, port, *, loud)",
        START,
    ),
    "variable": (
        WHOLE.replace('    key = "mine"\n', ""),
        "mine.py:4: Mine has no key",
        'write key: ClassVar[str] = "mine"',
    ),
    "not async": (
        WHOLE + "\n    def serve(self): ...\n",
        "mine.py:10: Mine.serve is not async",
        "expected async def serve(self)",
    ),
    "not a property": (
        WHOLE + "\n    def title(self): ...\n",
        "mine.py:10: Mine.title is a method; a property is expected",
        "write @property above def title(self)",
    ),
}


@pytest.mark.parametrize("case", BASES)
def test_obligations_of_a_base(case: str, desk: Desk) -> None:
    source, message, remedy = BASES[case]
    problem = refused(desk.folder, source)
    assert (problem.message, problem.remedy) == (message, remedy)


def test_methods_that_the_caller_requires(desk: Desk) -> None:
    problem = refused(desk.folder, WHOLE, required=("serve",))
    assert problem.message == "mine.py:4: Mine has no method 'serve'"
    assert problem.remedy == "write async def serve(self)"


def test_protocols_need_no_derivation(desk: Desk) -> None:
    problem = refused(desk.folder, "class Mine: pass\n", Speaks)
    assert (problem.message, problem.remedy) == (
        "mine.py:1: Mine has no method 'speak'",
        "write def speak(self, words)",
    )
    (desk.folder / "mine.py").write_text("class Mine:\n    def speak(self, words): ...\n")
    assert load_class(desk.folder, "mine.py:Mine", "x.yaml:1", Speaks, "a thing").value


def test_objects(desk: Desk) -> None:
    source = "from dataclasses import replace\nfrom testbed.censor.profiles import PROFILES\n"
    source += 'MINE = replace(PROFILES["t22"], name="mine")\nOTHER = 5\n'
    (desk.folder / "boxes.py").write_text(source)
    found = load_object(desk.folder, "boxes.py:MINE", "x.yaml:1", Profile, "a profile")
    assert (found.value.name, found.value.tls_ports, found.line) == ("mine", PROFILES["t22"].tls_ports, 3)
    for name, message, remedy in (
        (
            "OTHER",
            "boxes.py:4: OTHER is 5, not a profile",
            "expected an object of testbed.censor.profile.Profile",
        ),
        ("MIN", "boxes.py has no object 'MIN'", "did you mean 'MINE'?"),
    ):
        with pytest.raises(InputError) as caught:
            load_object(desk.folder, f"boxes.py:{name}", "x.yaml:1", Profile, "a profile")
        assert caught.value.problems == (Problem("x.yaml:1", message, remedy),)


def test_references() -> None:
    assert is_reference("mine.py:Mine")
    assert not is_reference("mine")
    assert not is_reference(5)


def test_a_changed_file_is_run_as_it_is_now(desk: Desk) -> None:
    """Within one second and of one size, which is all that Python's own bytecode cache looks at."""
    modes = []
    for mode in ("soft", "hard"):
        use(desk, GOOD.replace('"soft"', f'"{mode}"'))
        modes.append(desk.load().phases["block"].placements[0].policy.rules[0].action.mode)
    assert modes == ["soft", "hard"]
    assert not (desk.folder / "__pycache__").exists()
