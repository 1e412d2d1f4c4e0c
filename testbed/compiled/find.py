"""Using compiled modules instead of their source, if there are some of exactly this source."""

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

from testbed import usercache

CHOICE: Final = "TESTBED_COMPILED"  # "0": the source is used; a folder: compiled cores are kept there
CORE: Final = Path(__file__).resolve().parents[1] / "censor"
GROUP: Final = "testbed_core"  # the library that the compiled modules share
# What a packet passes. Not `stream` (slices of a bytearray) and not `names` (pickled in Python's way).
MODULES: Final = tuple(
    f"testbed.censor.{name}"
    for name in (
        "core",
        "decision",
        "flow",
        "history",
        "inspect",
        "inspectors",
        "match.rule",
        "packet",
        "parsers.tls",
        "segments",
    )
)
SHARED: Final = f"{GROUP}__mypyc"
_KEPT: Final = "runet-testbed-compiled"


def use() -> None:
    """Have compiled modules found first, from now on. Called before anything of the core is imported."""
    if os.environ.get(CHOICE) != "0" and folder_of_all().is_dir():
        sys.meta_path.insert(0, _Compiled())


def folder_of_all() -> Path:
    """Where every compiled core is kept; it need not be there."""
    base, chosen = os.environ.get("XDG_CACHE_HOME", ""), os.environ.get(CHOICE, "")
    if chosen.startswith("/"):
        return Path(chosen)
    try:
        return (Path(base) if base.startswith("/") else Path.home() / ".cache") / _KEPT
    except RuntimeError:  # no home
        return Path("/nonexistent")


@cache
def folder() -> Path | None:
    """Where that of this source and this Python is kept; None if it cannot be the user's own."""
    kept = folder_of_all()
    if not usercache.make_own(kept):
        return None
    return kept / f"{_digest()}{EXTENSION_SUFFIXES[0].removesuffix('.so')}"


@cache
def in_use() -> bool:
    """Whether the compiled core is there and will be used, or is."""
    place = folder() if os.environ.get(CHOICE) != "0" and folder_of_all().is_dir() else None
    try:
        return place is not None and usercache.own(place.stat())
    except OSError:
        return False


def _digest() -> str:
    """Of all of the core: a compiled module knows how those that it calls are made."""
    import hashlib  # every start passes here, and few have something to look for

    found = hashlib.sha256()
    for path in sorted(CORE.rglob("*.py")):
        found.update(f"{path.relative_to(CORE)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:32]


class _Compiled:
    """A finder of `MODULES` and the library that they share."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if (name not in MODULES and name != SHARED) or not in_use():
            return None
        place = folder()
        assert place is not None, "in use"
        file = str(place / f"{name}.so")
        return ModuleSpec(name, ExtensionFileLoader(name, file), origin=file)
