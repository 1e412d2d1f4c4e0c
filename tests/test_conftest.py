"""How the suite treats a missing feature and a failure, tried on a suite of one file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDS_CURL = """
import pytest
@pytest.mark.world("curl")
def test_with_curl(): pass
def test_pure(): pass
"""
ALL_WORLD = """
import pytest
pytestmark = [pytest.mark.timeout(5), pytest.mark.world]
raise RuntimeError("read")
"""
ALL_PURE = """
raise RuntimeError("read")
"""
FAILS_AT_RANDOM = """
import random
def test_random(): assert random.random() is None
"""


@pytest.fixture
def suite(tmp_path):
    """Run pytest on one file that has our conftest, in a PATH without programs."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\nmarkers =\n    world: x\n")

    def run(source, *args, **env):
        (tmp_path / "test_one.py").write_text(source)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TESTBED_", "PYTEST_"))}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # each would be loaded in each process
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
            cwd=tmp_path,
            env=environment | {"PATH": str(tmp_path)} | env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.world
def test_a_missing_feature_is_a_skip_with_its_name(suite):
    status, text = suite(NEEDS_CURL)
    assert status == 0
    assert "1 passed, 1 skipped" in text
    assert "this machine lacks: curl (testbed doctor)" in text


@pytest.mark.parametrize("workers", [[], ["-p", "xdist.plugin", "-n", "1"]])
def test_where_worlds_are_required_a_missing_feature_is_a_failure(suite, workers):
    status, text = suite(NEEDS_CURL, *workers, TESTBED_REQUIRE_WORLD="1")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "curl (testbed doctor), and TESTBED_REQUIRE_WORLD=1" in text
    assert "1 passed, 1 error" in text


def test_what_is_not_chosen_requires_nothing(suite):
    status, text = suite(NEEDS_CURL, "-k", "pure", TESTBED_REQUIRE_WORLD="1")
    assert status == 0
    assert "1 passed, 1 deselected" in text


@pytest.mark.parametrize(
    ("part", "other"), [("world", ALL_PURE), ("not world", ALL_WORLD)], ids=["world", "pure"]
)
def test_a_part_of_the_suite_reads_no_file_of_the_other(suite, part, other):
    status, text = suite(other, "-m", part, TESTBED_PART=part)
    assert status == pytest.ExitCode.NO_TESTS_COLLECTED, text
    status, text = suite(other, "-m", part)
    assert status == pytest.ExitCode.INTERRUPTED
    assert "RuntimeError: read" in text
    status, text = suite(NEEDS_CURL, "-m", part, TESTBED_PART=part)
    assert status == 0
    assert "1 deselected" in text


def test_no_mark_of_a_world_is_hidden_from_that():
    """It is looked for in the text of a test's own file."""
    folder = Path(__file__).parent
    others = [path for path in folder.rglob("*.py") if not path.name.startswith(("test_", "conftest"))]
    assert [path for path in others if "mark.world" in path.read_text("utf-8")] == []


def test_a_failure_prints_its_seed_and_the_seed_repeats_it(suite):
    def failure(**env):
        status, text = suite(FAILS_AT_RANDOM, **env)
        assert status == 1
        (drawn,) = (line for line in text.splitlines() if line.startswith("E") and "assert" in line)
        return drawn, text.split("repeat with TESTBED_SEED=")[1].split()[0]

    drawn, seed = failure()
    assert failure(TESTBED_SEED=seed) == (drawn, seed)
    assert failure(TESTBED_SEED="1")[0] != drawn
