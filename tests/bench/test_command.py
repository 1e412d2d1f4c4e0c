import json
import sys

import pytest

from bench import suite
from bench.result import Budget, Quantity, Result
from testbed.cli.main import main
from testbed.errors import InvalidRunError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["bench", *arguments])
    return leaving.value.code


@pytest.fixture
def pretended(monkeypatch):
    """Let the suite run benchmarks of our making: name -> what it gives or raises."""

    class Module:
        def __init__(self, outcome):
            self._outcome = outcome

        def measure(self, *, quick):
            if isinstance(self._outcome, Exception):
                raise self._outcome
            return [self._outcome]

    def pretend(**outcomes):
        monkeypatch.setattr(suite, "NAMES", tuple(outcomes))
        for name, outcome in outcomes.items():
            monkeypatch.setitem(sys.modules, f"bench.{name}", Module(outcome))

    return pretend


def taking(seconds: float) -> Result:
    figure = Quantity(seconds, "s")
    return Result("it", figure, Quantity(0.1, "s"), "nothing", figure, Budget(most=1.0))


def test_the_core_is_measured_and_told(tmp_path, capsys):
    place = tmp_path / "bench.json"
    status = run("--only", "core", "--quick", "--json", str(place))
    told = json.loads(place.read_text())
    assert status == (0 if all(one["held"] is not False for one in told["results"]) else 1)
    assert [one["what"] for one in told["results"]] == [
        "core: packets of decided flows",
        "core: ClientHello decisions",
    ]
    table = capsys.readouterr().out
    for one in told["results"]:
        # the whole core cannot be faster than reading the headers, which is a part of it
        assert 0 < one["measured"]["value"] < one["baseline"]["value"]
        assert one["what"] in table


@pytest.mark.parametrize(("seconds", "status", "word"), [(0.5, 0, "held"), (1.5, 1, "missed by 50%")])
def test_a_missed_budget_is_an_exit_status(seconds, status, word, pretended, tmp_path, capsys):
    pretended(one=taking(seconds))
    assert run("--json", str(tmp_path / "x.json")) == status
    assert word in capsys.readouterr().out


def test_one_that_cannot_be_run_does_not_hide_the_others(pretended, tmp_path, capsys):
    pretended(first=InvalidRunError("the censor died"), second=taking(0.5))
    assert run("--json", str(tmp_path / "x.json")) == 3
    out = capsys.readouterr().out
    assert "NOT MEASURED first: the censor died" in out
    assert "held" in out


def test_quick_leaves_out_what_takes_minutes(pretended, tmp_path):
    pretended(library=InvalidRunError("not wanted"), second=taking(0.5))
    assert run("--quick", "--json", str(tmp_path / "x.json")) == 0


def test_an_unknown_name_and_an_unwritable_file_are_told_before_anything_runs(tmp_path, capsys):
    assert run("--only", "speed") == 2
    assert "no benchmark 'speed'; there are: throughput" in capsys.readouterr().err
    assert run("--only", "core", "--json", str(tmp_path)) == 2
    (tmp_path / "file").touch()
    assert run("--only", "core", "--json", str(tmp_path / "file" / "x.json")) == 2
    assert "name a file that you can write" in capsys.readouterr().err
