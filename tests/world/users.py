"""Trying something as an ordinary user."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def become() -> list[str]:
    """The start of a command line that runs as an ordinary user; nothing if this is one. Skips if none is."""
    if os.geteuid() != 0:
        return []
    user = next((u for u in pwd.getpwall() if 1000 <= u.pw_uid < 60000), None)
    uid, gid = (user.pw_uid, user.pw_gid) if user else (60123, 60123)
    if not shutil.which("setpriv"):
        pytest.skip("missing program: setpriv")
    line = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all"]
    if subprocess.run([*line, sys.executable, "-c", "import testbed"], cwd=ROOT, check=False).returncode:
        pytest.skip(f"user {uid} may not read this folder")
    return line
