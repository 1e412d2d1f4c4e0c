"""Match keys in a Python file beside the scenario: they work as built-in ones, and are refused as clearly."""

import json

import pytest

from testbed.censor.core import Censor
from testbed.censor.match import KEYS, Match
from testbed.scenario.jsonschema import scenario_schema
from testbed.scenario.summary import rule_lines
from testbed.scenario.tojson import to_json
from tests.censor.line import Line, hello
from tests.scenario.conftest import Desk

HOPS = """\
from testbed.censor.match import HeaderKey


class Hops(HeaderKey[int]):
    \"\"\"The packet's hop limit is below a number.\"\"\"

    name = "hops"
    shape = int
    per_packet = True

    def fits(self, compiled, packet, outside, port):
        return packet.hop_limit < compiled
"""
ALPN = """\
from testbed.censor.match import HelloKey


class Alpn(HelloKey[tuple[str, ...]]):
    name = "alpn"
    shape = tuple[str, ...]

    def compile(self, value):
        return {text.encode() for text in value}

    def hello_fits(self, compiled, hello, letter):
        return hello.alpn in compiled
"""
H2 = b"\0\x10\0\x05\0\x03\x02h2"  # the extension


def use(desk: Desk, source: str, match: str, *, more: str = "") -> None:
    (desk.folder / "own.py").write_text(source)
    desk.rule(match, more=more)


def line(desk: Desk) -> Line:
    (placement,) = desk.load().phases["block"].placements
    return Line(placement.policy)


def test_a_header_key_decides(desk: Desk) -> None:
    use(desk, HOPS, "{own.py:Hops: 12}")
    box = line(desk)
    assert box.L("S", ttl=12).untouched
    assert box.L("PA", b"decoy", ttl=11).fired


def test_a_header_key_beside_a_built_in_one(desk: Desk) -> None:
    use(desk, HOPS, "{own.py:Hops: 12, ports: 80}")
    assert line(desk).L("S", ttl=11).untouched


def test_a_key_of_the_hello_narrows_a_name(desk: Desk) -> None:
    use(desk, ALPN, "{tls.sni: x.com, own.py:Alpn: h2}")
    for name, extra, fired in (("x.com", H2, True), ("x.com", b"", False), ("y.com", H2, False)):
        box = line(desk)
        box.handshake()
        assert box.L(payload=hello(name, extra=extra)).fired is fired, (name, extra)


def test_a_key_of_the_hello_alone(desk: Desk) -> None:
    use(desk, ALPN, "{own.py:Alpn: [h2, h3]}")
    box = line(desk)
    box.handshake()
    assert box.L(payload=hello("y.com", extra=H2)).fired


def test_shown_in_json_and_in_words(desk: Desk) -> None:
    use(desk, HOPS, "{own.py:Hops: 12, ports: 80}")
    scenario = desk.load()
    (rule,) = to_json(scenario)["phases"]["block"]["placements"][0]["rules"]
    assert rule["match"] == {"ports": [80], "hops": 12}
    assert json.dumps(rule)
    assert rule_lines(scenario) == ["tspu (t22) one: ports 80, hops 12 -> drop"]
    assert "own.py" in scenario.files


def test_loaded_again_it_is_the_same(desk: Desk) -> None:
    use(desk, HOPS, "{own.py:Hops: 12}")
    one, again = (desk.load().phases["block"].placements[0].policy for _ in range(2))
    assert one == again
    assert hash(one.rules[0].match) == hash(again.rules[0].match)
    assert one.rules[0].match != Match()
    Censor(one, 1).reload(again)


def test_shadowing_sees_it(desk: Desk) -> None:
    second = "      - {name: two, match: {own.py:Hops: 12, ports: 80}, action: drop}\n"
    use(desk, HOPS, "{own.py:Hops: 12}", more=second)
    assert "'two' can never match: 'one' already matches everything it would" in desk.problem().message
    use(desk, HOPS, "{own.py:Hops: 11}", more=second)
    assert len(desk.load().phases["block"].placements[0].policy.rules) == 2


def test_editors_accept_it() -> None:
    part = scenario_schema()["$defs"]["MatchPart"]
    assert part["patternProperties"] == {r"\.py:": {}}
    assert part["additionalProperties"] is False
    assert list(part["properties"]) == list(KEYS)


def method(text: str) -> str:
    return f"{HOPS}\n    def {text}\n"


HEADING = "write def fits(self, compiled, packet, outside, port)"
SEE = "run it with python to see the whole error"
HOPS_12 = "{own.py:Hops: 12}"
WRONG = {  # source, match, message, remedy
    "no such class": (HOPS, "{own.py:Hop: 12}", "own.py has no class 'Hop'", "did you mean 'Hops'?"),
    "exits": ("raise SystemExit(0)\n", HOPS_12, "own.py:1 does not run: it calls sys.exit(0)", "remove"),
    "an action": (
        "from testbed.censor.actions.silent_drop import SilentDrop as Hops\n",
        HOPS_12,
        "own.py:1: Hops is not a match key",
        "derive it from testbed.censor.match.key.MatchKey",
    ),
    "no name": (
        HOPS.replace('    name = "hops"\n', ""),
        HOPS_12,
        "own.py:4: Hops has no name",
        'write name: ClassVar[str] = "hops"',
    ),
    "a wrong name": (
        HOPS.replace('"hops"', "5"),
        HOPS_12,
        "own.py:7: Hops.name is not text but 5",
        "write name: ClassVar[str] = …",
    ),
    "no shape": (
        HOPS.replace("    shape = int\n", ""),
        HOPS_12,
        "own.py:4: Hops has no shape",
        "write shape: ClassVar[Any] = …",
    ),
    "a wrong shape": (
        HOPS.replace("shape = int", "shape = dict"),
        HOPS_12,
        "own.py: a value of a scenario file cannot have the type dict",
        "it can be str, int",
    ),
    "no fits": (HOPS[: HOPS.index("    def")], HOPS_12, "own.py:4: Hops has no method 'fits'", HEADING),
    "fits without packet": (
        HOPS.replace("compiled, packet, outside, port", "compiled"),
        HOPS_12,
        "own.py:11: Hops.fits cannot be called as def fits(self, compiled, packet, outside, port)",
        HEADING,
    ),
    "neither content nor header": (
        HOPS.replace("HeaderKey[int]", "MatchKey[int]").replace("HeaderKey", "MatchKey"),
        HOPS_12,
        "own.py:4: Hops is neither a ContentKey, a HeaderKey nor a HistoryKey",
        "derive it from one of these",
    ),
    "the name of a built-in key": (
        HOPS.replace('"hops"', '"ports"'),
        HOPS_12,
        "own.py:4: a built-in key has the name 'ports'",
        "give the class another name",
    ),
    "twice": (
        f"{HOPS}\n\nclass More(Hops): pass\n",
        "{own.py:Hops: 12, own.py:More: 5}",
        "own.py:15: another key of this rule has the name 'hops'",
        "give the class another name",
    ),
    "no kinds": (
        ALPN.replace("HelloKey", "ContentKey").replace("hello_fits", "fits").replace(", letter", ""),
        "{own.py:Alpn: h2}",
        "own.py:4: Alpn has no kinds",
        "write kinds: ClassVar[frozenset] = …",
    ),
    "kinds of another type": (
        ALPN.replace("    shape", '    kinds = frozenset({"tls"})\n    shape'),
        "{own.py:Alpn: h2}",
        "own.py:4: the kinds of Alpn are frozenset({'tls'})",
        "Kind.TLS",
    ),
    "a value of another type": (HOPS, "{own.py:Hops: twelve}", "expected a whole number, found 'twelve'", ""),
    "an empty list": (ALPN, "{own.py:Alpn: []}", "the list is empty", "give it at least one entry"),
    "raises in compile": (
        method("compile(self, value): 1 / 0"),
        HOPS_12,
        "own.py:14 fails: ZeroDivisionError: division by zero",
        SEE,
    ),
    "raises in given": (method("given(self, value): 1 / 0"), HOPS_12, "own.py:14 fails: ZeroDivision", SEE),
    "raises in covers": (method("covers(self, v, m): 1 / 0"), HOPS_12, "own.py:14 fails: ZeroDivision", SEE),
    "raises in faults": (method("faults(self, v, m): 1 / 0; yield 1"), HOPS_12, "own.py:14 fails: Zero", SEE),
    "exits in faults": (
        method("faults(self, v, m): raise SystemExit; yield 1"),
        HOPS_12,
        "own.py:14 fails: it calls sys.exit(None)",
        "remove the call",
    ),
    "no JSON": (
        method("to_json(self, value): return {1, 2}"),
        HOPS_12,
        "own.py fails: TypeError: Object of type set is not JSON serializable",
        SEE,
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_says_what_is_wrong(case: str, desk: Desk) -> None:
    source, match, message, remedy = WRONG[case]
    use(desk, source, match)
    problem = desk.problem()
    assert problem.place.startswith("x.yaml:10 censors.tspu.rules[0].match.own.py:")
    assert message in problem.message
    assert remedy in problem.remedy


def test_raises_only_beside_another_rule(desk: Desk) -> None:
    """An error that the trial at loading does not provoke is no traceback either."""
    source = HOPS + "\n    def covers(self, value, match):\n        return match['hops'] == value or 1 / 0\n"
    use(desk, source, HOPS_12, more="      - {name: two, match: {own.py:Hops: 5}, action: drop}\n")
    problem = desk.problem()
    assert problem.place == "x.yaml:12 censors.tspu.rules[1].match"
    assert problem.message == "own.py:15 fails: ZeroDivisionError: division by zero"


def test_faults_of_its_own_have_its_place(desk: Desk) -> None:
    source = HOPS.replace("import HeaderKey", "import HeaderKey, Impossible")
    source += '\n    def faults(self, v, m):\n        yield Impossible(("hops",), "too few", "write more")\n'
    use(desk, source, HOPS_12)
    problem = desk.problem()
    assert (str(problem)) == "x.yaml:10 censors.tspu.rules[0].match.own.py:Hops: too few; write more"


def test_narrowing_what_it_cannot(desk: Desk) -> None:
    use(desk, ALPN, "{http.host: a.com, own.py:Alpn: h2}")
    assert "no ClientHello is read with http.host" in desk.problem().message


def test_it_does_not_hide_other_problems(desk: Desk) -> None:
    use(desk, "1 / 0\n", "{own.py:Hops: 12, transport: udp, roles_reversed: true, protocol: wiregard}")
    assert [problem.place for problem in desk.problems()] == [
        "x.yaml:10 censors.tspu.rules[0].match.protocol",
    ]
    use(desk, "1 / 0\n", "{own.py:Hops: 12, transport: udp, roles_reversed: true}")
    assert [problem.place for problem in desk.problems()] == [
        "x.yaml:10 censors.tspu.rules[0].match.own.py:Hops",
        "x.yaml:10 censors.tspu.rules[0].match.roles_reversed",
    ]


@pytest.mark.parametrize(("value", "written"), [("true", "true"), ("[1, 2]", "[1, 2]"), ("", "null")])
def test_a_former_name_is_refused_with_the_new_one(value: str, written: str, desk: Desk) -> None:
    problem = desk.rule_problem(f"{{tls.sni: a.com, flipped: {value}}}")
    assert problem.place == "x.yaml:10 censors.tspu.rules[0].match.flipped"
    assert problem.message == "the key 'flipped' is now called 'roles_reversed'"
    assert problem.remedy == f"write roles_reversed: {written}"
