"""What somebody may see and use who is no owner of this machine: system folders to read, a folder to write.

A subscriber's shell otherwise sees all files of the user who opened the world. In a class on one server the
students share that user, whose files hold the others' answers and the rules of every world. Of the root
folder only what programs need is left; it is read-only, and mounted before the shell steps down
(`testbed.world.confine`), so that nobody inside can take it away.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from testbed.world.linux import MS_BIND, MS_NODEV, MS_NOSUID, MS_REC, make_read_only, mount

VARIABLE: Final = "TESTBED_SECLUSION"
_SYSTEM: Final = frozenset(
    ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr")
)
_SECRETS: Final = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
)  # of a class that root holds
_PACKAGE: Final = Path(__file__).resolve().parents[1]
_NICE: Final = 10  # nice(2): the world's own processes come first; our choice
_SHARED_MEMORY: Final = 64 << 20  # bytes of /dev/shm; our choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Seclusion:
    """Where a program may write, what else it may read, and how much it may take."""

    home: str
    tmp: str  # shown as /tmp
    open: tuple[str, ...] = ()  # further folders to write
    shown: tuple[str, ...] = ()  # to read
    hidden: tuple[str, ...] = ()  # of those shown: folders and files
    memory: int = 1 << 30  # bytes of addresses of one program, RLIMIT_AS; our choices
    processes: int = 200  # RLIMIT_NPROC
    file: int = 64 << 20  # bytes of one file, RLIMIT_FSIZE
    seconds: int = 900  # of processor time of one program, RLIMIT_CPU

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `text` made."""
        found: dict[str, Any] = json.loads(text)
        found |= {name: tuple(one) for name, one in found.items() if isinstance(one, list)}
        return cls(**found)

    def text(self) -> str:
        """As text, for `VARIABLE`."""
        return json.dumps(asdict(self))

    def at(self, home: str) -> Self:
        """The same with another folder to write, and no other."""
        return replace(self, home=home, open=())


@contextmanager
def also_shown(folder: Path) -> Iterator[None]:
    """Meanwhile, what this process has run in a world may read `folder`, too."""
    before = secluding()
    if before is None:
        yield
        return
    os.environ[VARIABLE] = replace(before, shown=(*before.shown, str(folder))).text()
    try:
        yield
    finally:
        os.environ[VARIABLE] = before.text()


def secluding() -> Seclusion | None:
    """What every command sees that this process has run in a world; None: all that its user does."""
    text = os.environ.get(VARIABLE)
    return Seclusion.from_text(text) if text else None


def seclude(what: Seclusion, own: Path) -> None:
    """Do it to this process, which has mounts of its own and the world's rights. `own`: files of the vantage.

    Errors: OSError.
    """
    writable = [what.home, *what.open]
    shown = [str(own), *what.shown]
    kept = [
        (path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in (*shown, *writable) if Path(path).exists()
    ]
    tmp = os.open(what.tmp, os.O_PATH | os.O_CLOEXEC)
    for folder in _others():
        mount("none", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    _bind(tmp, "/tmp")
    for path, fd in kept:
        if not path.startswith(tuple(f"/{name}/" for name in _SYSTEM)):
            Path(path).mkdir(parents=True, exist_ok=True)
            _bind(fd, path)
    for path in what.hidden:
        if Path(path).is_dir():
            mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=4k")
    for path in (*_SECRETS, *what.hidden):
        if Path(path).is_file():
            mount("/dev/null", path, flags=MS_BIND)
    mount("none", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={_SHARED_MEMORY}")
    make_read_only("/")
    for path in (*writable, "/tmp", "/dev/pts", "/dev/shm"):
        make_read_only(path, undo=True)
    for fd in (tmp, *(fd for _, fd in kept)):
        os.close(fd)
    os.chdir(what.home)  # by its path: the former working folder would lead out of here


def limit(what: Seclusion) -> None:
    """Set the limits of this process and all that it starts. None of them can be raised again."""
    for kind, most in (
        (resource.RLIMIT_AS, what.memory),
        (resource.RLIMIT_NPROC, what.processes),
        (resource.RLIMIT_FSIZE, what.file),
        (resource.RLIMIT_CPU, what.seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError):  # it is lower already
            resource.setrlimit(kind, (most, most))
    os.nice(_NICE)


def needed() -> tuple[str, ...]:
    """Where this program and its Python lie: to be among those that are `shown`."""
    places = (sys.prefix, sys.base_prefix, str(_PACKAGE))
    return tuple(dict.fromkeys(map(os.path.realpath, places)))


def _others() -> list[str]:
    """Folders at the root that no program needs."""
    with os.scandir("/") as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and entry.name not in _SYSTEM
        )


def _bind(fd: int, path: str) -> None:
    mount(f"/proc/self/fd/{fd}", path, flags=MS_BIND | MS_REC)
