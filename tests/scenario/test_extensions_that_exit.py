"""A plug-in that exits or raises where it is asked: a fault of its file, and never an end in silence."""

import sys
from pathlib import Path

import pytest

from testbed.cli.main import main
from testbed.detectors.adapter import Adapter, ToolOutput
from testbed.dryrun.agreement import checked
from testbed.measurement.kinds import parse
from testbed.measurement.target import ProbeKind
from testbed.probe.measure import measure
from testbed.world.fork import Slot
from tests.scenario.conftest import SCENARIO, Desk

CONTROLS = 'controls: ["https://vk.com/"]'
RULE = "match: {tls.sni: [twitter.com]}"
KIND = """\
import sys
from testbed.measurement.target import ProbeKind
class Quit(ProbeKind):
    scheme = "quit"
    form = "quit://NAME:PORT/"
    transport = "tcp"
    any_port = True
    steps_only = True
    def measure(self, target, steps):
        with steps.connect(target):
            STATEMENT
"""
KEY = """\
import sys
from testbed.censor.match import HeaderKey
class Out(HeaderKey[int]):
    \"\"\"A number.\"\"\"
    name = "out"
    shape = int
    def fits(self, compiled, packet, outside, port):
        STATEMENT
"""
NO_PROGRAM = "remove the call: the file is imported, not run as a program"


def kind(desk: Desk, statement: str) -> None:
    (desk.folder / "quit.py").write_text(KIND.replace("STATEMENT", statement))
    desk.path.write_text(
        SCENARIO.replace(CONTROLS, 'probe_kinds: ["quit.py:Quit"]\ncontrols: ["quit://vk.com:80/"]')
    )


def key(desk: Desk, statement: str) -> None:
    (desk.folder / "out.py").write_text(KEY.replace("STATEMENT", statement))
    desk.path.write_text(SCENARIO.replace(RULE, 'match: {"out.py:Out": 3}'))


CASES = {
    "a kind exits": (kind, "sys.exit(0)", "quit.py:11 fails: it calls sys.exit(0)"),
    "a kind raises": (kind, "{}['x']", "quit.py:11 fails: KeyError: 'x'"),
    "a kind notes a set": (kind, "steps.note('x_a', {1})", "quit.py:11 fails: TypeError: "),
    "a key exits": (key, "sys.exit(0)", "out.py:8 fails: it calls sys.exit(0)"),
    "a key raises": (key, "return 1 / 0", "out.py:8 fails: ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("case", CASES)
def test_check_names_the_file_and_goes_on(case: str, desk: Desk) -> None:
    breaks, statement, message = CASES[case]
    wrong = desk.folder / "wrong.yaml"
    wrong.write_text("title: 3\n")
    breaks(desk, statement)
    ours, others = checked([str(desk.path), str(wrong)])
    assert {problem.message[: len(message)] for problem in ours.problems} == {message}
    assert all(problem.remedy for problem in ours.problems)
    assert all(problem.place.startswith("x.yaml:") for problem in ours.problems)
    assert others.problems


@pytest.mark.parametrize("case", CASES)
def test_the_command_line_names_the_file(case: str, desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    breaks, statement, message = CASES[case]
    breaks(desk, statement)
    with pytest.raises(SystemExit) as ended:
        main(["truth", str(desk.path), "--client", "probe"])
    printed = capfd.readouterr().err
    assert ended.value.code == 2
    assert message in printed
    assert "bug in testbed" not in printed


def test_faults_of_another_shape_are_the_keys_own(desk: Desk) -> None:
    more = '\n    def faults(self, value, match):\n        yield "bad"\n'
    (desk.folder / "out.py").write_text(KEY.replace("STATEMENT", "return False") + more)
    problem = desk.problem(RULE, 'match: {"out.py:Out": 3}')
    assert problem.place == "x.yaml:10 censors.tspu.rules[0].match.out.py:Out"
    assert problem.message == "faults() of Out yields 'bad'"
    assert problem.remedy == "yield Impossible((), what is wrong, what to write instead)"


def test_what_is_missing_of_another_shape_is_the_kinds_own(desk: Desk) -> None:
    kind(desk, "pass")
    with (desk.folder / "quit.py").open("a") as file:
        file.write('    def missing(self, target, hosts):\n        return "bad"\n')
    problem = desk.problem()
    assert problem.message.startswith("quit.py fails: TypeError: missing() returned 'bad'")


class Leaves(ProbeKind):
    scheme = "leaves"
    port = 80
    form = "leaves://NAME/"
    transport = "tcp"

    def measure(self, target, steps):
        sys.exit(0)


def test_the_probe_records_it_with_its_line() -> None:
    seen = measure(parse("leaves://a/", {"leaves": Leaves()}), resolver=())
    assert seen.test_keys.probe_error is not None
    assert seen.test_keys.probe_error.startswith(
        "unknown_failure: SystemExit: 0 at test_extensions_that_exit.py:"
    )


def leaves(output: ToolOutput) -> None:
    sys.exit(0)


def returns_nothing(output: ToolOutput) -> None:
    return None


@pytest.mark.parametrize(
    ("read", "why"), [(leaves, "SystemExit: 0"), (returns_nothing, "it returned None, no ToolReport")]
)
def test_an_adapter_that_makes_no_report(read, why: str) -> None:
    (complaint,) = Adapter(name="mine", title="Mine", read=read).report(ToolOutput("x")).complaints
    assert complaint.message == f"the adapter mine cannot read it: {why}"


def test_a_child_that_exits_does_not_end_its_parent() -> None:
    slot = Slot()
    assert slot.fill(lambda: sys.exit(0)) == 1
    fine, error = slot.take() or (True, None)
    assert not fine
    assert isinstance(error, RuntimeError)
    assert Path(__file__).name in "".join(error.__notes__)
