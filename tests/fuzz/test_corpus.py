"""Every input that fuzzing found worth keeping, without a fuzzer; and, slowly, the fuzzer itself."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in CORPUS.rglob("*") if path.parent.name in TARGETS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name[:12]}")
def test_kept_inputs(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_there_are_inputs_for_each_target_and_they_are_small() -> None:
    assert {path.parent.name for path in FILES} == set(TARGETS)
    assert sum(path.stat().st_size for path in FILES) < 200_000


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris: the extra fuzz")
@pytest.mark.parametrize("target", TARGETS)
def test_a_minute_of_fuzzing(target: str, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    command = [sys.executable, "-m", "tests.fuzz.run", target, "-max_total_time=40", "-rss_limit_mb=1500"]
    command += [f"-artifact_prefix={tmp_path}/", str(found), str(CORPUS / target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    assert b"DONE" in done.stderr
