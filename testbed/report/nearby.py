"""Paths as one would type them."""

import os
from pathlib import Path


def near(folder: Path) -> str:
    """Relative to here if it is below here, else absolute."""
    here = os.path.relpath(folder)
    return str(folder) if here.startswith("..") else here
