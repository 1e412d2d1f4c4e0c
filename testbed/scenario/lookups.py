"""The files that are looked at while a scenario is loaded: reading them, and which they were."""

import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from errno import ENAMETOOLONG, ENOENT, ENOTDIR
from pathlib import Path

from testbed.errors import InputError

ABSENT = ""  # instead of a digest: there was no such file

_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[dict[str, str]]:
    """Every file that is looked at inside, by its absolute path: its sha256, or `ABSENT`."""
    found: dict[str, str] = {}
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def note(path: Path, digest: str) -> None:
    """A file that was read, or was not there."""
    found = _noted.get()
    if found is not None:
        found[str(path.absolute())] = digest


def display(path: Path) -> str:
    """The path relative to the working directory, if it is inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError, RuntimeError):  # RuntimeError: links that lead to each other
        return str(path)


def is_file(path: Path) -> bool:
    """Whether it is a file; False also for names that no file can have."""
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        note(path, ABSENT)
    return found


def exists(path: Path) -> bool:
    """Whether there is something of that name, or links that lead to each other."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        return isinstance(error, OSError) and error.errno not in (ENOENT, ENOTDIR, ENAMETOOLONG)
    return True


def not_a_file(path: Path) -> str:
    """What a path is that is no file: "there is no file x", "x is a folder"."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        gone = isinstance(error, FileNotFoundError)
        why = "" if gone else f": {getattr(error, 'strerror', None) or error}"
        return f"there is no file {display(path)}" if gone else f"cannot read {display(path)}{why}"
    kind = next((what for test, what in _KINDS if test(mode)), "a device")
    return f"{display(path)} is {kind}, not a file"


_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def read_bytes(path: Path, place: str = "") -> bytes:
    """The file's bytes, or an InputError that says why not."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError.at(place or display(path), f"cannot read {display(path)}: {reason}") from error
    if _noted.get() is not None:
        note(path, hashlib.sha256(raw).hexdigest())
    return raw
