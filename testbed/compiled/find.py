"""Using compiled modules instead of their source, if there are some of exactly this source."""

import os
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

from testbed import usercache
from testbed.compiled import CHOICE, folder_of_all

CORE: Final = Path(__file__).resolve().parents[1] / "censor"
GROUP: Final = "testbed_core"  # the library that the compiled modules share
# What a packet passes. Not `stream` (its bytearray) and not `names` (pickled in Python's way).
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


@cache
def folder() -> Path | None:
    """Where that of this source and this Python is kept; None if it cannot be the user's own."""
    kept = Path(folder_of_all())
    if not usercache.make_own(kept):
        return None
    return kept / f"{_digest()}{EXTENSION_SUFFIXES[0].removesuffix('.so')}"


@cache
def in_use() -> bool:
    """Whether the compiled core is there and will be used, or is."""
    if os.environ.get(CHOICE) == "0" or not usercache.is_own(Path(folder_of_all())):
        return False
    place = folder()
    return place is not None and usercache.is_own(place)


def _digest() -> str:
    """Of all of the core: a compiled module knows how those that it calls are made."""
    import hashlib  # every start passes here, and few have something to look for

    found = hashlib.sha256()
    for path in sorted(CORE.rglob("*.py")):
        found.update(f"{path.relative_to(CORE)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:32]


class CompiledModules:
    """A finder of `MODULES` and the library that they share."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Python's question to each finder; None: look elsewhere."""
        if (name not in MODULES and name != SHARED) or not in_use():
            return None
        place = folder()
        assert place is not None, "in use"
        file = str(place / f"{name}.so")
        return ModuleSpec(name, ExtensionFileLoader(name, file), origin=file)
