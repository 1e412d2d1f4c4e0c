"""An example project's own tests, run as its author runs them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
HARMLESS: Final = """\
title: The same names, and nobody filters
period: any
sources: [our choice]
operators: [mts, obit, rostelecom]
phases: {block: {}}
default_phase: block
expect:
  - {phase: block, target: ["https://twitter.com/", "https://www.dw.com/"], outcome: ok}
controls: ["https://vk.com/"]
"""


def run(example: Path, folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """pytest in the project, with run folders in `folder`."""
    plugin = ["-p", "testbed.testing.pytest_plugin", "-p", "no:cacheprovider"]
    plugin += ["--testbed-folder", str(folder)]
    place = ["--rootdir", str(example), "-c", str(example / "pyproject.toml")]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": str(ROOT), **variables}
    environment.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *place, *words, str(example / "tests")],
        env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
