"""Folders in the user's cache that nobody else may write to: what is in them is loaded and run."""

import os
from pathlib import Path
from typing import Final

OFF: Final = "TESTBED_NO_CACHE"  # set to anything, nothing is kept for the next start, and nothing taken


def own_folder(name: str) -> Path | None:
    """$XDG_CACHE_HOME/NAME or ~/.cache/NAME, made if it is not there; None if it cannot be the user's own."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = (Path(base) if base.startswith("/") else Path.home() / ".cache") / name
    except RuntimeError:  # no home
        return None
    return folder if make_own(folder) else None


def make_own(folder: Path) -> bool:
    """Make the folder if it is not there; whether it is the user's own."""
    try:
        if not folder.is_dir():
            folder.parent.mkdir(exist_ok=True)
            folder.mkdir(mode=0o700)
    except OSError:
        return False
    return is_own(folder)


def is_own(folder: Path) -> bool:
    """Whether the folder is there and the user's own. One behind another user's folder is neither."""
    try:
        return folder.is_dir() and own(folder.stat())
    except OSError:
        return False


def own(state: os.stat_result) -> bool:
    """Whether this user, and nobody else, may write to what has this state."""
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022
