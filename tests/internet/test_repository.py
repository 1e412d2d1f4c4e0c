"""`git clone` in the emulated Internet."""

import os
import subprocess
from pathlib import Path

import pytest

from testbed.internet.repository import repository_file
from tests.internet.emulated import ODD, TWITTER


def clone(vantage, site, folder):
    """git's exit status, the file that it fetched, and what fsck and git itself say."""
    address = f"http.curloptResolve={site.name}:443:{site.ipv4}"
    git = ["git", "-c", address]
    url = f"https://{site.name}/anybody/some-tool"
    alone = {**os.environ, "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    alone["GIT_SSL_CAINFO"] = vantage.root
    done = subprocess.run(
        [*git, "clone", "-q", url, f"{folder}/clone"], capture_output=True, text=True, timeout=60, env=alone
    )
    if done.returncode:
        return done.returncode, "", done.stderr
    checked = subprocess.run(
        ["git", "-C", f"{folder}/clone", "fsck", "--strict"], capture_output=True, text=True, env=alone
    )
    return checked.returncode, Path(folder, "clone/README.md").read_text(), checked.stderr


@pytest.mark.world
def test_git_clones_from_a_site_with_repositories(far_side, tmp_path):
    page = "# some-tool\n\nA repository of anybody's in the emulated Internet.\n"
    assert far_side.call(clone, ODD["repositories"], str(tmp_path)) == (0, page, "")


@pytest.mark.world
def test_an_ordinary_site_has_none(far_side, tmp_path):
    status, page, said = far_side.call(clone, TWITTER, str(tmp_path))
    assert (status, page) == (128, "")
    assert "not found" in said


def test_a_commit_has_the_same_name_in_every_run():
    refs = repository_file("/torvalds/linux.git/info/refs")
    assert refs == b"e4a8c39b6d020186182f949c550cad6a26108156\trefs/heads/main\n"
    assert refs == repository_file("/torvalds/linux/info/refs")


@pytest.mark.parametrize(
    "path", ["/", "/bytes/5", "/a/b", "/a/b/objects/00/../x", "/a/b/objects/aa/bb", "/a/b/c/info/refs"]
)
def test_other_paths_are_not_of_a_repository(path):
    assert repository_file(path) is None
