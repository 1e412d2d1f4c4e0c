"""A tree of files over another, in a mount namespace of one's own."""

from pathlib import Path

import pytest

from testbed.vantage.overlay import lay_over
from testbed.world.enter import isolated_call
from testbed.world.linux import CLONE_NEWNS, unshare

pytestmark = pytest.mark.world


@pytest.fixture
def folders(tmp_path):
    """(tree to lay over, scratch, root to lay it over), each a folder."""
    made = [tmp_path / name for name in ("tree", "scratch", "root")]
    for folder in made:
        (folder / "etc").mkdir(parents=True)
    (made[1] / "etc").rmdir()
    return made


def seen(folders, *names):
    """What each file of the root says once the tree is laid over it; None for what is not there."""
    tree, scratch, root = folders

    def look():
        unshare(CLONE_NEWNS)
        lay_over(tree, scratch, root)
        return [(root / name).read_text() if (root / name).exists() else None for name in names]

    return isolated_call(look)


def listing(folders, name):
    tree, scratch, root = folders

    def look():
        unshare(CLONE_NEWNS)
        lay_over(tree, scratch, root)
        return sorted(entry.name for entry in (root / name).iterdir() if not entry.name.startswith("."))

    return isolated_call(look)


def test_a_plain_file_is_covered_and_the_others_stay(folders):
    tree, _, root = folders
    (tree / "etc/resolv.conf").write_text("ours")
    (root / "etc/resolv.conf").write_text("theirs")
    (root / "etc/other").write_text("theirs")
    assert seen(folders, "etc/resolv.conf", "etc/other") == ["ours", "theirs"]
    assert (root / "etc/resolv.conf").read_text() == "theirs"  # outside, nothing has changed


def test_a_link_to_a_file(folders):
    tree, _, root = folders
    (tree / "etc/resolv.conf").write_text("ours")
    (root / "etc/generated").write_text("theirs")
    (root / "etc/resolv.conf").symlink_to("generated")
    assert seen(folders, "etc/resolv.conf") == ["ours"]
    assert (root / "etc/generated").read_text() == "theirs"


def test_a_link_into_run_which_the_world_hides(folders):
    tree, _, root = folders
    (tree / "etc/resolv.conf").write_text("ours")
    (root / "etc/resolv.conf").symlink_to("/run/systemd/resolve/of-a-test.conf")
    assert seen(folders, "etc/resolv.conf") == ["ours"]
    assert not Path("/run/systemd/resolve/of-a-test.conf").exists()


@pytest.mark.parametrize("target", [None, "/nowhere/at/all", "loop"])
def test_a_missing_file_and_a_dead_link(folders, target):
    """The folder is made anew, with all that it had: files, folders, links of every kind."""
    tree, _, root = folders
    (tree / "etc/resolv.conf").write_text("ours")
    (root / "etc/loop").symlink_to("loop")
    if target:
        (root / "etc/resolv.conf").symlink_to(target)
    (root / "etc/file").write_text("a file")
    (root / "etc/link").symlink_to("file")
    (root / "etc/folder").mkdir()
    (root / "etc/folder/up").symlink_to("../../beside")
    (root / "beside").write_text("beside etc")
    names = ("etc/resolv.conf", "etc/file", "etc/link", "etc/folder/up")
    assert seen(folders, *names) == ["ours", "a file", "a file", "beside etc"]
    assert listing(folders, "etc") == ["file", "folder", "link", "loop", "resolv.conf"]
    assert (root / "etc/resolv.conf").is_symlink() == bool(target)  # outside, nothing has changed


def test_new_folders_and_files_among_old_ones(folders):
    tree, _, root = folders
    (tree / "etc/ssl/certs").mkdir(parents=True)
    (tree / "etc/ssl/certs/new.0").write_text("new")
    (tree / "etc/ssl/certs/bundle").write_text("ours")
    (tree / "etc/browser/policies").mkdir(parents=True)
    (tree / "etc/browser/policies/ca").write_text("policy")
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "etc/ssl/certs/bundle").write_text("theirs")
    (root / "etc/ssl/certs/old.0").symlink_to("bundle")
    names = ("etc/ssl/certs/new.0", "etc/ssl/certs/bundle", "etc/ssl/certs/old.0", "etc/browser/policies/ca")
    assert seen(folders, *names) == ["new", "ours", "ours", "policy"]
    assert listing(folders, "etc/ssl/certs") == ["bundle", "new.0", "old.0"]


def test_writing_into_a_rebuilt_folder_leaves_no_trace(folders):
    tree, scratch, root = folders
    (tree / "etc/new").write_text("ours")

    def write():
        unshare(CLONE_NEWNS)
        lay_over(tree, scratch, root)
        (root / "etc/written").write_text("by a program")
        return (root / "etc/written").read_text()

    assert isolated_call(write) == "by a program"
    assert not (root / "etc/written").exists()
    assert not list(scratch.iterdir())
