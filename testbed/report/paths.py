"""Paths as a user would type them."""

import os
from pathlib import Path


def typed(folder: Path) -> str:
    """Relative if it is below the working folder, else absolute."""
    here = os.path.relpath(folder)
    return str(folder) if here.startswith("..") else here
