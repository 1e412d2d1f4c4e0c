"""Loaded scenarios, kept on disk for the next start.

Reading a scenario needs the models of every file format, which take a third of a start. What came of it is
kept with the digest of every file that was looked at, those that were not there too; it is taken only while
all of them are the same, by the same code in the same folder. A scenario with Python of its own is not kept.

The folder is $XDG_CACHE_HOME/runet-testbed, or ~/.cache/runet-testbed; without one that is the user's own,
everything is loaded anew. TESTBED_NO_CACHE=1: likewise.
"""

import contextlib
import hashlib
import io
import json
import os
import pickle
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from testbed import usercache
from testbed.compiled.find import in_use
from testbed.errors import TestbedError
from testbed.model import Scenario
from testbed.scenario import library, lookups
from testbed.scenario.loader import load

MOST: Final = 100  # scenarios kept; our choice
LARGEST: Final = 4 << 20  # octets of one; our choice: reading a larger one takes longer than its imports

_ROOT: Final = Path(__file__).resolve().parents[1]
_OTHERS: Final = {
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("ipaddress", "IPv4Address"),
    ("ipaddress", "IPv4Network"),
    ("ipaddress", "IPv6Address"),
    ("ipaddress", "IPv6Network"),
    ("pathlib", "PosixPath"),
}


def load_kept(name_or_path: str | Path, *, tools: bool = True) -> Scenario:
    """As `load`, from the disk if it is there and nothing has changed. Errors: those of `load`."""
    folder = _folder()
    if folder is None:
        return load(name_or_path, tools=tools)
    with lookups.noting() as looked_at:
        path = name_or_path if isinstance(name_or_path, Path) else library.find(name_or_path)
        place = folder / _key(path, tools=tools)
        found = _take(place)
        if found is None:
            found = load(path, tools=tools)
            _keep(place, found, looked_at)
    return found


def _key(path: Path, *, tools: bool) -> str:
    """What decides the result, but for the files' contents, as a file name."""
    looked_in = [path, *library.folders(), *library.recipe_folders(path.parent)]
    # A scenario of the library is the same from every folder that has no scenarios/ or recipes/ of its own.
    here = "" if all(one.is_absolute() for one in looked_in) else os.getcwd()  # noqa: PTH109
    parts = [_code(), str(in_use()), here, str(tools), *map(str, looked_in)]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()


@cache
def _code() -> str:
    """This program's version: names, sizes and times of its files, without what Python makes of them."""
    seen = [sys.version]
    for folder, folders, names in os.walk(_ROOT):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(names):
            at = os.path.join(folder, name)  # noqa: PTH118 (some hundred of them at each start)
            state = os.stat(at)  # noqa: PTH116
            seen.append(f"{at} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(seen).encode(errors="surrogateescape")).hexdigest()


def _folder() -> Path | None:
    """Where they are kept; None if there is no such folder that nobody else may write to."""
    if os.environ.get(usercache.OFF):
        return None
    try:
        os.getcwd()  # noqa: PTH109 (the key has it)
    except OSError:
        return None
    return usercache.own_folder("runet-testbed")


def _take(place: Path) -> Scenario | None:
    """The scenario, if it is there and what it was made of has not changed."""
    try:
        with place.open("rb") as file:
            if not usercache.own(os.fstat(file.fileno())):
                return None
            looked_at, _, made = file.read().partition(b"\n")
        if not all(_as_it_was(Path(path), digest) for path, digest in json.loads(looked_at).items()):
            return None
        found = _Reader(io.BytesIO(made)).load()
    except Exception:  # a file cut short, or made by hand: whatever is wrong with it, it is not taken
        return None
    if not isinstance(found, Scenario):
        return None
    with contextlib.suppress(OSError):
        os.utime(place)  # those that were used last are kept
    return found


def _as_it_was(path: Path, digest: str) -> bool:
    if digest == lookups.ABSENT:
        return not path.is_file()
    return hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _keep(place: Path, scenario: Scenario, looked_at: dict[str, str]) -> None:
    """Write it, if it can be; nothing depends on it."""
    if any(Path(path).suffix == ".py" for path in looked_at):
        return
    import tempfile  # it is slow to load, and few starts keep something

    with contextlib.suppress(OSError, pickle.PicklingError, TypeError, AttributeError):
        content = json.dumps(looked_at).encode() + b"\n" + pickle.dumps(scenario, 5)
        if len(content) > LARGEST:
            return
        kept = sorted(place.parent.iterdir(), key=lambda one: one.stat().st_mtime)
        for old in kept[: max(0, len(kept) + 1 - MOST)]:
            old.unlink(missing_ok=True)
        number, name = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(place)


class _Reader(pickle.Unpickler):
    """Makes values of our own and a few others only: a file in the cache can call nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name) if _allowed(module, name) else None
        if not isinstance(found, type) or issubclass(found, BaseException | TestbedError):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return found


def _allowed(module: str, name: str) -> bool:
    return (module, name) in _OTHERS or (module.startswith("testbed.") and "." not in name)
