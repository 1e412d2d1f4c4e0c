"""The core's hot modules, compiled by mypyc where somebody has asked for it (`testbed compile`).

The same source; everything works without. What is compiled is kept in the user's cache under a digest of the
core's source, and is used only while that is the same: an edited core runs as Python until it is compiled.
"""

import os
import sys
from typing import Final

NEW_OBJECTS: Final = 200_000
"""How many new objects start a collection of garbage: our choice. Python's 700 cost a tenth of the start-up,
in collections that find nothing, because classes and a scenario are made to stay."""

CHOICE: Final = "TESTBED_COMPILED"  # "0": the source is used; a folder: compiled cores are kept there
_KEPT: Final = "runet-testbed-compiled"


def use() -> None:
    """Have compiled modules found first, from now on. Called before anything of the core is imported."""
    if os.environ.get(CHOICE) != "0" and os.path.isdir(folder_of_all()):  # noqa: PTH112 (every import passes here)
        from testbed.compiled.find import CompiledModules

        sys.meta_path.insert(0, CompiledModules())


def folder_of_all() -> str:
    """Where every compiled core is kept; it need not be there."""
    chosen, base = os.environ.get(CHOICE, ""), os.environ.get("XDG_CACHE_HOME", "")
    if chosen.startswith("/"):
        return chosen
    return os.path.join(base if base.startswith("/") else os.path.expanduser("~/.cache"), _KEPT)  # noqa: PTH111, PTH118
