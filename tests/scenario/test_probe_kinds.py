"""Kinds of targets from a Python file beside the scenario; targets with ports."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.internet.services.echo import Echo
from testbed.model import Host
from testbed.scenario.loader import load
from testbed.scenario.targets import WorldHosts
from tests.scenario.conftest import Desk

EXAMPLE = Path(__file__).parents[2] / "examples/probe_kind"
CONTROLS = 'controls: ["https://vk.com/"]'
GOOD = """\
from testbed.measurement.target import ProbeKind


class Knock(ProbeKind):
    scheme = "knock"
    form = "knock://NAME:PORT/"
    transport = "tcp"
    any_port = True

    def measure(self, target, steps):
        with steps.connect(target):
            pass
"""
LINE = 4  # of the class


def use(desk: Desk, source: str = GOOD, kinds: str = "knock.py:Knock", url: str = "knock://vk.com:25/"):
    (desk.folder / "knock.py").write_text(source)
    return CONTROLS, f'probe_kinds: ["{kinds}"]\ncontrols: ["{url}"]'


def test_a_kind_from_a_file_may_stand_in_targets(desk: Desk) -> None:
    scenario = desk.load(*use(desk))
    (target,) = scenario.controls
    assert (target.url, target.host, target.port) == ("knock://vk.com:25/", "vk.com", 25)
    assert (target.kind.scheme, target.kind.transport, target.bulk) == ("knock", "tcp", False)
    assert "knock.py" in scenario.files


def test_without_the_file_its_scheme_is_unknown(desk: Desk) -> None:
    problem = desk.problem(CONTROLS, 'controls: ["knock://vk.com:25/"]')
    assert (problem.place, problem.message) == (
        "x.yaml:18 controls[0]",
        "'knock://vk.com:25/' is not a target",
    )
    assert problem.remedy.startswith("write one of https://NAME/, ")


def test_the_forms_named_include_the_files_own(desk: Desk) -> None:
    assert desk.problem(*use(desk, url="knok://vk.com/")).remedy.endswith(", knock://NAME:PORT/")


WRONG = {  # what replaces what in the file -> message and remedy
    "no such class": ("Knock(", "Knack(", "knock.py has no class 'Knock'; did you mean 'Knack'?"),
    "no kind": (
        "(ProbeKind)", "",
        f"knock.py:{LINE}: Knock is not a probe kind; derive it from testbed.measurement.target.ProbeKind",
    ),
    "no scheme": (
        '    scheme = "knock"\n', "",
        f'knock.py:{LINE}: Knock has no scheme; write scheme: ClassVar[str] = "knock"',
    ),
    "no form": (
        '    form = "knock://NAME:PORT/"\n', "",
        f'knock.py:{LINE}: Knock has no form; write form: ClassVar[str] = "knock"',
    ),
    "no measure": (
        "def measure(", "def mesure(",
        f"knock.py:{LINE}: Knock has no method 'measure'; write def measure(self, target, steps)",
    ),
    "measure takes something else": (
        "(self, target, steps)", "(self)",
        ("knock.py:10: Knock.measure cannot be called as def measure(self, target, steps); "
        "write def measure(self, target, steps)"),
    ),
    "a port that is text": (
        "    any_port = True", '    port = "25"',
        "knock.py:8: Knock.port is not a whole number but '25'; write port: ClassVar[int] = …",
    ),
    "no scheme of a URL": (
        '"knock"', '"Knock!"',
        f"knock.py:{LINE}: 'Knock!' is not a URL scheme; write small letters, digits, '+', '-' and '.'",
    ),
    "a scheme that is built in": (
        '"knock"', '"https"', f"knock.py:{LINE}: the scheme 'https' is built in; choose another",
    ),
    "cannot be made": (
        "    any_port", "    def __init__(self):\n        raise OSError('no room')\n\n    any_port",
        "knock.py:9 fails: OSError: no room; run it with python to see the whole error",
    ),
    "ends the process": (
        "class Knock", "import sys\nsys.exit(0)\n\n\nclass Knock",
        ("knock.py:5 does not run: it calls sys.exit(0); "
        "remove the call: the file is imported, not run as a program"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "text"), WRONG.values(), ids=WRONG)
def test_a_class_that_is_no_kind_is_refused(desk: Desk, old: str, new: str, text: str) -> None:
    assert old in GOOD
    problem = desk.problem(*use(desk, GOOD.replace(old, new)))
    assert problem.place == "x.yaml:18 probe_kinds[0]"
    assert f"{problem.message}; {problem.remedy}" == text


def test_two_kinds_with_one_scheme(desk: Desk) -> None:
    old, new = use(desk, kinds='knock.py:Knock", "knock.py:Again')
    (desk.folder / "knock.py").write_text(f"{GOOD}\n\nclass Again(Knock):\n    pass\n")
    problem = desk.problem(old, new)
    assert problem.message == "knock.py:15: the scheme 'knock' is another class's"


def test_a_kind_that_raises_while_a_target_is_checked(desk: Desk) -> None:
    source = GOOD + "\n    def missing(self, target, hosts):\n        return 1 / 0\n"
    problem = desk.problem(*use(desk, source))
    assert problem.place == "x.yaml:19 controls[0]"
    assert problem.message == "knock.py:15 fails: ZeroDivisionError: division by zero"


def test_a_target_that_needs_a_port(desk: Desk) -> None:
    problem = desk.problem(*use(desk, url="knock://vk.com/"))
    assert f"{problem.message}; {problem.remedy}" == "'knock://vk.com/' has no port; write knock://NAME:PORT/"


def test_a_kind_may_look_for_its_own_hosts(desk: Desk) -> None:
    problem = desk.problem(*use(desk, url="knock://vk.co:25/"))
    assert problem.message == "no site of the world 'small' answers to 'vk.co'"


def test_hosts_of_the_world_are_targets_and_listen_where_they_say(desk: Desk) -> None:
    mail = Host("mail", ("mail.example",), ("10.9.8.7",), ("2001:db8::7",), 1, services=(Echo(25),))
    hosts = WorldHosts(replace(desk.load().world, hosts=(mail,)))
    assert [hosts.host(name) for name in ("mail.example", "10.9.8.7", "2001:db8:0::7")] == [None] * 3
    assert [hosts.ports(name) for name in ("mail.example", "2001:db8:0::7", "vk.com")] == [{25}, {25}, set()]


HOSTS = """\
hosts:
  mail: {names: mail.example, ipv4: 95.216.1.10, ipv6: "2a01:4f9:0:1::10", asn: 24940,
         services: [{web: {}}, {echo: {port: 25}}]}
"""


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://mail.example/", ""),
        ("http://mail.example:25/", ""),
        ("http://mail.example:26/", "no service of 'mail.example' listens on port 26; did you mean '25'?"),
        (
            "http://vk.com:25/",
            "'http://vk.com:25/' has port 25; sites listen on standard ports: leave it out",
        ),
        ("http://vk.co:25/", "no site of the world 'small' answers to 'vk.co'; "),
    ],
)
def test_ports_in_targets(desk: Desk, url: str, text: str) -> None:
    given = CONTROLS, f'{HOSTS}controls: ["{url}"]'
    if not text:
        assert [target.url for target in desk.load(*given).controls] == [url]
    else:
        problem = desk.problem(*given)
        assert f"{problem.message}; {problem.remedy}".startswith(text)


def test_the_example_loads() -> None:
    scenario = load(EXAMPLE / "greeting.yaml")
    assert [one.target.url for one in scenario.expect] == [
        "greeting://twitter.com:80/", "greeting://vk.com:80/", "greeting://twitter.com:80/",
    ]  # fmt: skip
