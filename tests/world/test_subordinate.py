"""The ids that an ordinary user's world has: one, or all that the machine grants."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.world.subordinate import USERS, granted
from tests.world.users import ROOT, become

ME = os.geteuid()

LOOK = """
import json, os, sys
from pathlib import Path
from testbed.world.enter import run_isolated
def main():
    done = []
    for step in (lambda: os.setgroups([7]), lambda: os.setresgid(7, 7, 7), lambda: os.setresuid(7, 7, 7)):
        try:
            step()
            done.append("done")
        except OSError as error:
            done.append(error.strerror)
    count = [int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    print(json.dumps([done, sum(count)]), flush=True)
    return 0
sys.exit(run_isolated(main))
"""


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("", []),
        (f"{ME}:100000:65536\n", [(100000, 65536)]),
        (f"{pwd.getpwuid(ME).pw_name}:100000:65536\n", [(100000, 65536)]),
        (f"{ME}:100000:10\nsomebody:5:5\n{ME}:200000:20\n", [(100000, 10), (200000, 20)]),
        (f"# {ME}\n{ME}:x:1\n{ME}:1:0\n{ME}:1\n", []),
    ],
)
def test_the_grants_of_a_user(tmp_path: Path, text: str, ranges: list[tuple[int, int]]) -> None:
    (tmp_path / "subuid").write_text(text)
    assert granted(replace(USERS, grants=tmp_path / "subuid"), ME) == ranges


def test_no_file_grants_nothing(tmp_path: Path) -> None:
    assert granted(replace(USERS, grants=tmp_path / "subuid"), ME) == []


def tried(tmp_path: Path, grants: str) -> tuple[list[str], int]:
    """What an ordinary user's world may do where /etc/subuid and /etc/subgid are `grants`."""
    file = tmp_path / "grants"
    file.write_text(grants)
    file.chmod(0o644)
    script = f'mount --bind {file} /etc/subuid && mount --bind {file} /etc/subgid && exec "$@"'
    line = ["unshare", "-m", "sh", "-c", script, "sh", *become(), sys.executable, "-c", LOOK]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    made, count = json.loads(done.stdout)
    return made, count


@pytest.mark.world
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may grant")
@pytest.mark.skipif(not shutil.which("newuidmap"), reason="missing program: newuidmap (uidmap)")
@pytest.mark.skipif(not Path("/etc/subuid").exists(), reason="missing file: /etc/subuid")
def test_with_a_grant_programs_change_user_and_groups_and_without_they_do_not(tmp_path: Path) -> None:
    user = next(word.partition("=")[2] for word in become() if word.startswith("--reuid"))
    assert tried(tmp_path, f"{user}:200000:65536\n") == (["done"] * 3, 65537)
    made, count = tried(tmp_path, "")
    assert (made[0], count) == ("Operation not permitted", 1)
    assert made[1:] == ["Invalid argument"] * 2  # there is no such id
