"""The example project's own tests, as its author runs them: green, and red when the censor is taken away."""

from pathlib import Path

import pytest

from tests.testing.example_project import EXAMPLES, HARMLESS, run

EXAMPLE = EXAMPLES / "detector"
pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


def test_it_is_green_on_two_workers_with_a_world_each(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    done = run(EXAMPLE, tmp_path, "-q", "-n", "2")
    assert (done.returncode, "6 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("testbed-")] == []


def test_it_is_red_when_the_censor_is_taken_away(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "library").mkdir()
    (tmp_path / "library/twitter-facebook-block-2022-03.yaml").write_text(HARMLESS)
    chosen = ("-k", "is_found or works or function")
    done = run(EXAMPLE, tmp_path, *chosen, TESTBED_SCENARIOS=str(tmp_path / "library"))
    assert (done.returncode, "2 failed, 1 passed, 3 deselected" in done.stdout) == (1, True), done.stdout
    assert "AssertionError: there is no rule 'social-reset' here; there are none" in done.stdout
    assert "rules met   none" in done.stdout
    assert "scenario twitter-facebook-block-2022-03, phase block, vantage mts, seed " in done.stdout
    (kept,) = (path for path in tmp_path.iterdir() if path.name.startswith("testbed-"))
    assert f"recorded in {kept}/run" in done.stdout
    assert (kept / "run/summary.json").exists()
