"""Laying a tree of files over the machine's own, for the calling process and its children alone.

By bind mounts, which work without root in a user namespace and need no file system that a kernel may lack.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from testbed.world.linux import MS_BIND, MS_MOVE, MS_PRIVATE, MS_REC, mount

_BELOW = ".below"  # where a rebuilt folder keeps what it was


def lay_over(tree: Path, scratch: Path, root: Path = Path("/")) -> None:
    """Make each file of `tree` appear at the same place under `root`; the rest of `root` stays as it is.

    Call it in a mount namespace of one's own. `scratch` is an empty folder. A file's place may hold a file, a
    link, a dead link (into a /run that is hidden) or nothing. OSError names what cannot be done.
    """
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _lay_over(tree, root, scratch)


def _lay_over(tree: Path, folder: Path, scratch: Path) -> None:
    missing = []
    for ours in sorted(tree.iterdir()):
        theirs = folder / ours.name
        if ours.is_dir() and theirs.is_dir():
            _lay_over(ours, theirs, scratch)
        elif ours.is_file() and _is_there(theirs):
            mount(str(ours), str(theirs), flags=MS_BIND)
        else:
            missing.append(ours)
    if missing:
        _rebuild(folder, missing, scratch)


def _is_there(file: Path) -> bool:
    """Whether something can be mounted on `file`. The target of a dead link into our private /run is made."""
    target = Path(os.path.realpath(file))  # not resolve(), which raises on a loop of links
    if not target.exists() and file.is_symlink() and target.is_relative_to("/run"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return target.is_file()


def _rebuild(folder: Path, additions: Sequence[Path], scratch: Path) -> None:
    """Replace `folder` by one in memory that shows all it had, and `additions`.

    What was there stays mounted at `.below`, out of sight; its links are copied, its files linked to and its
    folders mounted again (a link would lead their own relative links astray).
    """
    mount("tmpfs", str(scratch), "tmpfs", 0, "mode=755")
    below = scratch / _BELOW
    below.mkdir()
    mount(str(folder), str(below), flags=MS_BIND | MS_REC)
    ours = {added.name for added in additions}
    with os.scandir(below) as entries:
        for entry in entries:
            place = scratch / entry.name
            if entry.name in ours or entry.name == _BELOW:
                continue
            if entry.is_symlink():
                place.symlink_to(os.readlink(entry.path))  # noqa: PTH115 (word for word)
            elif entry.is_dir():
                place.mkdir()
                mount(entry.path, str(place), flags=MS_BIND | MS_REC)
            else:
                place.symlink_to(f"{_BELOW}/{entry.name}")
    for added in additions:
        (shutil.copytree if added.is_dir() else shutil.copyfile)(added, scratch / added.name)
    mount(str(scratch), str(folder), flags=MS_MOVE)
