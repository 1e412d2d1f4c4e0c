"""Compiling the core by mypyc, into the user's cache."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from testbed import usercache
from testbed.compiled import folder_of_all
from testbed.compiled.find import CORE, GROUP, MODULES, SHARED, folder
from testbed.errors import InputError, InvalidRunError, UnsupportedError

_LIMIT: Final = 1800.0  # seconds; our choice: a minute on two slow processors
_SHOWN: Final = 15  # lines of a log
_SETUP: Final = """\
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify({files!r}, opt_level="3", group_name={group!r})
setup(name="testbed-core", packages=[], ext_modules=modules)
"""


def compile_core() -> Path:
    """Compile `MODULES`; the folder that they are in. Takes a minute, and nothing if they are there already.

    Errors: UnsupportedError if mypyc, a C compiler or Python's headers are missing, or the compiler fails;
    InputError if the cache is no folder of the user's own.
    """
    place = folder()
    if place is None:
        raise InputError.at("", f"{folder_of_all()} is no folder of your own", "set XDG_CACHE_HOME")
    if place.is_dir():
        return place
    _require()
    with tempfile.TemporaryDirectory(dir=place.parent) as made:
        work = Path(made)
        shutil.copytree(CORE, work / "testbed" / CORE.name, ignore=shutil.ignore_patterns("__pycache__"))
        (work / "testbed" / "__init__.py").touch()
        _build(work)
        built = work / "built"
        built.mkdir()
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        for name in (*MODULES, SHARED):
            shutil.move(work / f"{name.replace('.', '/')}{suffix}", built / f"{name}.so")
        built.rename(place)  # whole, or not at all
    return place


def remove_core() -> bool:
    """Remove every compiled core; whether there was one."""
    there = usercache.is_own(Path(folder_of_all()))
    if there:
        shutil.rmtree(folder_of_all(), ignore_errors=True)
    return there


def _build(work: Path) -> None:
    files = [f"{name.replace('.', '/')}.py" for name in MODULES]
    (work / "setup.py").write_text(_SETUP.format(files=files, group=GROUP), encoding="utf-8")
    line = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    environment = {**os.environ, "PYTHONPATH": "", "MYPYPATH": ""}
    try:
        done = subprocess.run(
            line, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT
        )
    except subprocess.TimeoutExpired as late:
        raise InvalidRunError(f"the core was not compiled in {_LIMIT:.0f} s") from late
    if done.returncode:
        log = "\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN:])
        raise UnsupportedError(f"the core could not be compiled; everything works without it:\n{log}")


def _require() -> None:
    try:
        import mypyc.build  # noqa: F401
    except ImportError as missing:
        remedy = "pip install 'runet-testbed[fast]'"
        raise UnsupportedError(f"compiling needs mypyc and setuptools ({missing}); {remedy}") from missing
    if not any(shutil.which(name) for name in (os.environ.get("CC", "cc"), "gcc", "clang")):
        raise UnsupportedError("compiling needs a C compiler; sudo apt-get install gcc libc6-dev")
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        raise UnsupportedError(f"compiling needs {header}; sudo apt-get install python3-dev")
