"""The second example project: what its proxy gets through; red when the censor is taken away."""

from pathlib import Path

import pytest

from tests.testing.example_project import EXAMPLES, HARMLESS, run

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]
EXAMPLE = EXAMPLES / "circumvention"


def test_its_tests_are_green(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    done = run(EXAMPLE, tmp_path, "-q")
    assert (done.returncode, "7 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_without_a_censor_the_tool_is_not_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "library").mkdir()
    (tmp_path / "library/twitter-facebook-block-2022-03.yaml").write_text(HARMLESS)
    done = run(EXAMPLE, tmp_path, "-k", "needed", TESTBED_SCENARIOS=str(tmp_path / "library"))
    assert (done.returncode, "2 failed, 5 deselected" in done.stdout) == (1, True), done.stdout
    assert "AssertionError: there is no rule 'social-reset' here; there are none" in done.stdout
