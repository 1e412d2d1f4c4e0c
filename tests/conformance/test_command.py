"""`testbed conformance`: table, JSON, exit statuses."""

import json

import pytest
from click.testing import CliRunner

from testbed.cli.conformance import command
from testbed.conformance import suite
from testbed.errors import InputError

KEYS = ["id", "profile", "source", "confidence", "live", "held", "expected", "seen"]


def told(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, args, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output


def forced(monkeypatch, held: bool | None) -> None:
    """Whatever is run comes out so."""

    def run(case, profile, *_, live=False) -> suite.CaseResult:
        words = (case.id, profile, case.source, case.confidence)
        return suite.CaseResult(*words, live, held, case.expected, "a cat on the wire")

    monkeypatch.setattr(suite, "run", run)


def test_the_table() -> None:
    status, text = told("--case", "C27", "--case", "C63", "--profile", "t22")
    assert status == 0
    assert "on the core: held H 2 of 2" in text
    assert "C63" in text
    assert "NTC1823 #10" in text


def test_json_instead_of_the_table() -> None:
    status, text = told("--case", "C27", "--json")
    assert status == 0
    cases = json.loads(text)["cases"]
    assert [list(one) for one in cases] == [KEYS] * 5
    assert {one["profile"] for one in cases} == {"t22", "t23", "t24", "t25", "t26"}
    assert all(one["held"] is True and one["live"] is False for one in cases)
    assert "RST/ACK, TTL 58" in cases[0]["seen"]


def test_json_beside_the_table(tmp_path) -> None:
    place = tmp_path / "held.json"
    status, text = told("--case", "plain", "--json", str(place))
    assert status == 0
    assert "plain/A,P,C,D,T,Dv,R,Rl,Rv,Rvm" in text
    assert len(json.loads(place.read_text())["cases"]) == 10


def test_a_sure_case_that_does_not_hold_is_1(monkeypatch) -> None:
    forced(monkeypatch, held=False)
    status, text = told("--case", "C27")
    assert status == 1
    assert "NOT held" in text
    assert "a cat on the wire" in text


@pytest.mark.parametrize("id_", ["C28", "C97"])
def test_a_less_sure_one_is_told_but_0(monkeypatch, id_: str) -> None:
    forced(monkeypatch, held=False)
    status, text = told("--case", id_)
    assert status == 0
    assert "NOT held" in text


def test_what_is_missing_never_looks_held(monkeypatch) -> None:
    forced(monkeypatch, held=None)
    status, text = told("--case", "C27")
    assert status == 0
    assert "held H 0 of 0; not implemented 5" in text
    assert json.loads(told("--case", "C27", "--json")[1])["cases"][0]["held"] is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--case", "C999"], "no case 'C999'; did you mean"),
        (["--profile", "t2"], "no profile 't2'; did you mean"),
        (["--case", "C27", "--profile", "t21"], "no chosen case names t21"),
        (["--case", "C63", "--json", "/no/such/folder/x.json"], "/no/such/folder/x.json"),
    ],
)
def test_wrong_input(args: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        told(*args)


@pytest.mark.world
def test_live_beside_the_core() -> None:
    status, text = told("--case", "C63", "--live", "--json")
    assert status == 0
    assert [one["live"] for one in json.loads(text)["cases"]] == [False, True]
