"""The two parts of `make test`, and their sums."""

from collections import Counter
from pathlib import Path

import pytest

from tools.run_tests import closing_line, main, status_of

FILE = """\
import os
import pytest

def test_pure():
    assert "PYTEST_XDIST_WORKER" in os.environ

@pytest.mark.world
def test_world():
    assert "PYTEST_XDIST_WORKER" not in os.environ

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


@pytest.mark.parametrize(
    ("broken", "status", "said"), [("", 0, "2 passed, 1 skipped"), ("+", 1, "1 failed, 1 passed")]
)
def test_worlds_run_alone_and_the_rest_in_parallel(
    tmp_path: Path, capfd, monkeypatch, broken: str, status: int, said: str
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    (tmp_path / "test_it.py").write_text(
        FILE.replace("def test_world():", f"def test_world():\n    {broken and 'assert 0'}")
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = world: x\n")
    assert (
        main(["--jobs", "2", str(tmp_path), "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider"])
        == status
    )
    assert said in capfd.readouterr().out.splitlines()[-1]
