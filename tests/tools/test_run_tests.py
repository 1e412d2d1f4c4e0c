"""The two parts of `make test`, and their sums."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import run_tests
from tools.run_tests import PytestCall, closing_line, main, status_of

FILE = """\
import os
import sys
import pytest

def test_pure():
    assert not sys.dont_write_bytecode

@pytest.mark.world
def test_world():
    pass

@pytest.mark.world
def test_another_world():
    pass

def test_skipped():
    pytest.skip("not today")
"""


@pytest.mark.parametrize(
    ("statuses", "status"),
    [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([5, 0], 0), ([0, 5], 0), ([5, 5], 5), ([2], 2)],
)
def test_the_status(statuses: list[int], status: int) -> None:
    assert status_of(statuses) == status


def test_the_closing_line() -> None:
    counts = Counter(failures=2, errors=1, skipped=3, tests=106)
    assert closing_line(counts, 1.5).strip("= ") == "2 failed, 100 passed, 3 skipped, 1 errors in 1.50s"
    assert closing_line(Counter(), 0).strip("= ") == "no tests ran in 0.00s"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch) -> Callable[..., int]:
    """Run a suite of one file."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the suite needs one; each process loads all
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p xdist.plugin")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = world: x\n")

    def run(text: str, jobs: int = 2) -> int:
        (tmp_path / "test_it.py").write_text(text)
        return main(["--jobs", str(jobs), str(tmp_path), "-c", str(tmp_path / "pytest.ini")])

    return run


def test_both_parts_run_on_every_core(suite, capfd) -> None:
    assert suite(FILE) == 0
    assert "3 passed, 1 skipped" in capfd.readouterr().out.splitlines()[-1]


BOTH = ("pure", "world")


def failing(condition: str, *names: str) -> str:
    """The file, where these tests pass only if the condition holds."""
    text = FILE
    for name in names:
        text = text.replace(f"def test_{name}():", f"def test_{name}():\n    assert {condition}")
    return text


def test_what_fails_beside_others_and_passes_alone_has_passed_and_is_named(suite, capfd) -> None:
    assert suite(failing('"PYTEST_XDIST_WORKER" not in os.environ', *BOTH)) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "3 passed, 1 skipped" in lines[-1]
    again = [
        number
        for number, line in enumerate(lines)
        if line == "1 tests failed beside others and run again, alone:"
    ]
    assert [lines[number + 1] for number in again] == [f"  test_it::test_{name}" for name in BOTH]
    passed = [line for line in lines if line.startswith("passed alone: ")]
    assert passed == [f"passed alone: test_it::test_{name}" for name in BOTH]


def test_what_fails_twice_has_failed(suite, capfd) -> None:
    assert suite(failing("0", *BOTH)) == 1
    lines = capfd.readouterr().out.splitlines()
    assert "2 failed, 1 passed, 1 skipped" in lines[-1]
    assert not any("passed alone" in line for line in lines)


@pytest.mark.parametrize("name", BOTH)
def test_one_process_repeats_nothing(suite, capfd, name: str) -> None:
    assert suite(failing("0", name), jobs=1) == 1
    lines = capfd.readouterr().out.splitlines()
    assert "1 failed, 2 passed, 1 skipped" in lines[-1]
    assert not any("run again" in line for line in lines)


def test_what_could_not_be_repeated_has_failed(monkeypatch, capfd) -> None:
    calls = [PytestCall(1, Counter(failures=1, tests=3), ("test_it::test_world",)), PytestCall(5)]
    monkeypatch.setattr(run_tests, "run", lambda *_: calls.pop(0))
    assert run_tests.run_part("", "world", ["-n", "2"], []).status == 1
    assert "not all of them could be repeated: they have failed" in capfd.readouterr().out
