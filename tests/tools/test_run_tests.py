"""The two parts of `make test`, and their sums."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import run_tests
from tools.run_tests import PytestCall, closing_line, main, status_of

FILE = """\
import os
import pytest

def test_pure():
    pass

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


@pytest.mark.parametrize("name", ["pure", "world"])
def test_what_fails_beside_others_and_passes_alone_has_passed_and_is_named(suite, capfd, name: str) -> None:
    alone = '    assert "PYTEST_XDIST_WORKER" not in os.environ'
    assert suite(FILE.replace(f"def test_{name}():", f"def test_{name}():\n{alone}")) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "3 passed, 1 skipped" in lines[-1]
    at = lines.index("1 tests failed beside others and run again, alone:")
    assert lines[at + 1] == f"  test_it::test_{name}"
    assert f"passed alone: test_it::test_{name}" in lines


@pytest.mark.parametrize(("name", "jobs"), [("pure", 2), ("world", 2), ("world", 1)])
def test_what_fails_twice_has_failed(suite, capfd, name: str, jobs: int) -> None:
    assert suite(FILE.replace(f"def test_{name}():", f"def test_{name}():\n    assert 0"), jobs) == 1
    lines = capfd.readouterr().out.splitlines()
    assert "1 failed, 2 passed, 1 skipped" in lines[-1]
    assert not any("passed alone" in line for line in lines)


def test_what_could_not_be_repeated_has_failed(monkeypatch, capfd) -> None:
    calls = [PytestCall(1, Counter(failures=1, tests=3), ("test_it::test_world",)), PytestCall(5)]
    monkeypatch.setattr(run_tests, "run", lambda *_: calls.pop(0))
    assert run_tests.run_part("", "world", ["-n", "2"], []).status == 1
    assert "not all of them could be repeated: they have failed" in capfd.readouterr().out
