"""A compiled core: used where it is of exactly this source, never otherwise, and it decides the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.compiled.find import CORE, MODULES, SHARED

CORE_TESTS = ("tests/censor", "tests/conformance", "tests/scenario/test_rehearsal.py")
ROOT = Path(__file__).resolve().parents[2]
WHERE = "import testbed.censor.core as core; print(core.__file__)"
PLACE = "from testbed.compiled.find import folder; print(folder())"


def said(code: str, kept: Path | str, root: Path = ROOT) -> str:
    environment = {**os.environ, "TESTBED_COMPILED": str(kept), "PYTHONPATH": str(root)}
    line = [sys.executable, "-c", code]
    return subprocess.run(
        line, cwd=root, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def pretended(tmp_path):
    """A folder of compiled cores with one of this source, whose files are none."""
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    place = Path(said(PLACE, kept))
    place.mkdir()
    for name in (*MODULES, SHARED):
        (place / f"{name}.so").touch()
    return kept


def is_used(kept: Path, root: Path = ROOT) -> bool:
    """The files are empty, so that whoever loads one fails by its name."""
    environment = {**os.environ, "TESTBED_COMPILED": str(kept), "PYTHONPATH": str(root)}
    line = [sys.executable, "-c", WHERE]
    done = subprocess.run(line, cwd=root, env=environment, check=False, capture_output=True, text=True)
    refused = f"{kept}/" in done.stderr and ".so: file too short" in done.stderr
    assert refused or done.stdout.strip() == str(root / "testbed/censor/core.py"), done.stderr
    return refused


def test_one_of_this_source_is_used(pretended):
    assert is_used(pretended)


def test_one_of_another_source_is_not_used(pretended, tmp_path):
    """Whoever edits the core runs what they have written, not what was compiled before."""
    copy = tmp_path / "copy"
    shutil.copytree(CORE.parent, copy / "testbed", ignore=shutil.ignore_patterns("__pycache__"))
    assert is_used(pretended, copy)
    with (copy / "testbed/censor/stream.py").open("a") as file:  # not even one of those that are compiled
        file.write("# edited\n")
    assert not is_used(pretended, copy)


def test_one_that_others_may_write_to_is_not_used(pretended):
    pretended.chmod(0o777)
    assert not is_used(pretended)


def test_a_cache_behind_another_user_s_folder_is_none(tmp_path):
    """sudo may keep XDG_CACHE_HOME."""
    closed = tmp_path / "closed"
    (closed / "kept").mkdir(parents=True)
    closed.chmod(0o000)
    other = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"] if os.geteuid() == 0 else []
    code = "from testbed.compiled.find import in_use; print(in_use())"
    environment = {**os.environ, "TESTBED_COMPILED": str(closed / "kept")}
    done = subprocess.run(
        [*other, sys.executable, "-c", code],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_nothing_is_used_and_nothing_made_without_a_folder(tmp_path):
    assert said(WHERE, tmp_path / "none") == str(ROOT / "testbed/censor/core.py")
    assert not (tmp_path / "none").exists()


def test_it_can_be_left_out():
    assert said(WHERE, "0") == str(ROOT / "testbed/censor/core.py")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_compiled_core_passes_every_test_of_the_core(tmp_path):
    """The same tests, packet by packet, against machine code."""
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    environment = {**os.environ, "TESTBED_COMPILED": str(kept)}
    testbed = [sys.executable, "-c", "from testbed.cli.start import main; main()"]
    subprocess.run([*testbed, "compile"], cwd=ROOT, env=environment, check=True)
    assert said(WHERE, kept).endswith("/testbed.censor.core.so")
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *CORE_TESTS, "-m", "not world and not slow"],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-3000:]
