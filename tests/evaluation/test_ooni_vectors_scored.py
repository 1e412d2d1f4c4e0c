"""OONI's 13 published vectors, scored: the built-in probe with a closer look, and the field instrument."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import TESTBED

pytestmark = [pytest.mark.slow, pytest.mark.world]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("detector", "more"), [("probe", ["--with", "hop"]), ("field", [])])
def test_all_thirteen_are_right(tmp_path: Path, detector: str, more: list[str]) -> None:
    words = ["evaluate", "--detector", detector, "--scenarios", "ooni-vectors", "--json", "--jobs", "1"]
    done = subprocess.run(
        [TESTBED, *words, *more, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["recall"]["share"], found["false_positives"]["share"]) == (1.0, 0.0), found["wrong"]
    assert (found["mechanisms"]["share"], found["parameters"]["hop"]["mean_absolute_error"]) == (1.0, 0.0)
    phases = {json.loads(line)["phase"] for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()}
    assert len(phases) == 13
