"""The worlds of this user that are held open: a Unix socket each, in a folder of their own.

A world's name is that of its socket. A socket without a listener is left over from a killed keeper; the next
listing removes it.
"""

import fcntl
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from testbed.errors import InputError
from testbed.run.choose import one_of
from testbed.run.control import Line

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".sock"
_BACKLOG = 64


def state_folder() -> Path:
    """The folder of the sockets: $XDG_RUNTIME_DIR/testbed, or /tmp/testbed-UID. It is made if it is missing.

    Errors: InputError if it belongs to another user, or others may enter it.
    """
    user = os.geteuid()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime, "testbed") if runtime and _owner(Path(runtime)) == user else None
    folder = folder or Path(f"/tmp/testbed-{user}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    remedy = "remove it, or set XDG_RUNTIME_DIR to a folder of your own"
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
        raise InputError.at(str(folder), f"it is not a folder of user {user}", remedy)
    if found.st_mode & 0o077:
        raise InputError.at(str(folder), f"others may enter it (mode {found.st_mode & 0o777:o})", remedy)
    return folder


def running() -> list[str]:
    """The names of the worlds that are held open, sorted. Left-over sockets are removed."""
    with _locked(state_folder()) as folder:
        return sorted(_alive(folder))


def listen(name: str | None, default: str) -> tuple[str, socket.socket]:
    """A name for a new world and the socket under which it can be asked; without `name`, `default` numbered.

    Errors: InputError if there is a world of that name already, or the name cannot be one.
    """
    if name is not None and not _NAME.fullmatch(name):
        remedy = "use letters, digits, '.', '_' and '-', 64 at most"
        raise InputError.at("--name", f"{name!r} cannot be a world's name", remedy)
    with _locked(state_folder()) as folder:
        taken = _alive(folder)
        if name in taken:
            remedy = f"choose another, or end that world: testbed down {name}"
            raise InputError.at("--name", f"there is a world '{name}' already", remedy)
        chosen = name or _free(default, taken)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(folder) as short:
            listener.bind(f"{short}/{chosen}{_SUFFIX}")
        listener.listen(_BACKLOG)
    return chosen, listener


def forget(name: str) -> None:
    """Remove the socket of a world that has ended."""
    with suppress(FileNotFoundError):
        (state_folder() / f"{name}{_SUFFIX}").unlink()


def chosen(name: str | None) -> str:
    """The name of the world `name`; without a name, of the only one there is.

    Errors: InputError if there is no such world, or no name was given and there are none or several.
    """
    known = running()
    if name is None and len(known) == 1:
        name = known[0]
    if not known:
        missing = f"there is no world '{name}'" if name else "no world is held open"
        raise InputError.at("WORLD", missing, "open one: testbed up SCENARIO --detach")
    if name is None:
        raise InputError.at("WORLD", "several worlds are held open", f"name one: {', '.join(known)}")
    return one_of(name, known, "world", "this user", place="WORLD")


def connect(name: str | None) -> tuple[str, Line]:
    """A connection to the world `name`; without a name, to the only one there is.

    Errors: InputError if there is no such world, or no name was given and there are none or several.
    """
    name = chosen(name)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(state_folder()) as short:
            connection.connect(f"{short}/{name}{_SUFFIX}")
    except OSError as error:
        connection.close()
        raise InputError.at("WORLD", f"the world '{name}' has just ended", "see: testbed worlds") from error
    return name, Line(connection)


def _owner(folder: Path) -> int | None:
    try:
        return folder.stat().st_uid
    except OSError:
        return None


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Hold the folder's lock: making, finding and removing sockets do not overlap."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short path of the folder: that of a socket may have 107 bytes."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}"
    finally:
        os.close(opened)


def _alive(folder: Path) -> set[str]:
    alive = set()
    with _short(folder) as short:
        for path in folder.glob(f"*{_SUFFIX}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
                asking.settimeout(0)
                try:
                    asking.connect(f"{short}/{path.name}")
                except ConnectionRefusedError:
                    path.unlink(missing_ok=True)
                    continue
                except BlockingIOError:  # its queue of connections is full: it is busy
                    pass
                except FileNotFoundError:
                    continue
            alive.add(path.name.removesuffix(_SUFFIX))
    return alive


def _free(default: str, taken: set[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", default).lstrip("._-")[:56] or "world"
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
