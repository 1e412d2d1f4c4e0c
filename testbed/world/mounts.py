"""What a world shows instead of the machine's /run, /proc, /sys and /dev, and what a command does.

Each is mounted over the machine's. The lists follow what bubblewrap (`--dev`) gives its command and what runc
makes read-only.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from testbed.world.linux import (
    MS_BIND,
    MS_MOVE,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    detach,
    mount,
)

PLACE = Path("/run/testbed")  # the world's own; commands do not see it
TERMINALS = PLACE / "pts"  # the machine's
CLOSED = PLACE / "closed"  # an empty file, to cover what must not be reached
ROOM_OF_RUN = 256 << 20  # bytes that a world's /run may have, which is in memory; our choice

_INERT = MS_NOSUID | MS_NODEV | MS_NOEXEC
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero", "net/tun")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
# Root may write there whatever namespace it is in. `fs`, `bus` and `irq` as runc has them.
_SETTINGS = ("acpi", "bus", "dynamic_debug", "fs", "irq", "mtrr", "scsi", "sys", "sysrq-trigger")
_OWN = (("dev",), ("proc",), ("run",), ("sys",))
_OCTAL = re.compile(r"\\(\d{3})")  # mountinfo has spaces in paths as \040: proc_pid_mountinfo(5)
_KEPT = {
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME,
    "relatime": MS_RELATIME,
}
_OWN_SETTINGS = "sys/net"  # of the network namespace of whoever looks


def mount_run(folders: Mapping[Path, os.stat_result]) -> None:
    """A /run with these folders of the machine's, empty: daemons expect some, such as /run/lock."""
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, f"mode=755,size={ROOM_OF_RUN}")
    PLACE.mkdir()
    CLOSED.touch(0o444)
    for path, status in folders.items():
        if path.name not in {"netns", PLACE.name}:
            path.mkdir()
            with suppress(OSError):  # the world of an ordinary user may not have that owner
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(status.st_mode & 0o7777)


def folders_of_run() -> dict[Path, os.stat_result]:
    """The machine's, with their owners as the machine knows them."""
    with suppress(OSError):
        return {
            path: path.stat() for path in Path("/run").iterdir() if path.is_dir() and not path.is_symlink()
        }
    return {}


def mount_proc() -> None:
    """A /proc of the caller's PID namespace, in which nobody can change the machine's settings."""
    mount("proc", "/proc", "proc", _INERT)
    # An ordinary user's root is not the owner of any setting, and /proc stays one that nested namespaces,
    # such as a rootless container's, may mount again (the kernel wants one without anything mounted in it).
    if Path("/proc/sys/kernel/hostname").stat().st_uid != os.geteuid():
        return
    for name in _SETTINGS:
        if Path("/proc", name).exists():
            mount(f"/proc/{name}", f"/proc/{name}", flags=MS_BIND)
            mount("none", f"/proc/{name}", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | _INERT)
    mount(f"/proc/{_OWN_SETTINGS}", f"/proc/{_OWN_SETTINGS}", flags=MS_BIND)
    mount("none", f"/proc/{_OWN_SETTINGS}", flags=MS_REMOUNT | MS_BIND | _INERT)


def mount_sys() -> None:
    """A read-only /sys of the caller's network namespace; an empty one where the kernel refuses that."""
    try:
        mount("sysfs", "/sys", "sysfs", _INERT | MS_RDONLY)
    except OSError:  # in some containers, where parts of /sys are hidden
        mount("tmpfs", "/sys", "tmpfs", _INERT | MS_RDONLY)
        return
    with suppress(OSError):  # version 2 alone: of its own limits a program learns here
        mount("cgroup2", "/sys/fs/cgroup", "cgroup2", _INERT)
        mount("none", "/sys/fs/cgroup", flags=MS_REMOUNT | MS_BIND | MS_RDONLY | _INERT)


def mount_dev() -> None:
    """A /dev of the devices that every program may need, and /dev/net/tun. Terminals are new ones."""
    dev = PLACE / "dev"
    dev.mkdir()
    TERMINALS.mkdir()
    if Path("/dev/pts").is_dir():
        mount("/dev/pts", str(TERMINALS), flags=MS_BIND)
    mount("tmpfs", str(dev), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name in _DEVICES:
        if Path("/dev", name).exists():
            (dev / name).parent.mkdir(exist_ok=True)
            (dev / name).touch()
            mount(f"/dev/{name}", str(dev / name), flags=MS_BIND)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "pts").mkdir()
    mount("devpts", str(dev / "pts"), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    (dev / "shm").mkdir()
    mount("tmpfs", str(dev / "shm"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    (dev / "console").touch()
    mount(str(dev), "/dev", flags=MS_MOVE)
    dev.rmdir()


def mount_terminal(terminals: int) -> None:
    """Show the terminal that this process has as /dev/console, where the C library finds its name.

    `terminals` is an open descriptor of the folder that holds it.
    """
    for fd in range(3):
        with suppress(OSError):
            if os.isatty(fd) and (name := _name_of_terminal(terminals, os.fstat(fd))):
                mount(f"/proc/self/fd/{terminals}/{name}", "/dev/console", flags=MS_BIND)
                return


def _name_of_terminal(terminals: int, mine: os.stat_result) -> str:
    for name in os.listdir(terminals):
        if os.path.samestat(os.stat(name, dir_fd=terminals), mine):
            return name
    return ""


def mount_run_of(host: str, shown: Iterable[Path]) -> None:
    """Mount the /run of one host over the world's, with those files and folders of the world's /run in it.

    It stays as long as the world: what one command leaves there, the next one finds.
    """
    own = PLACE / "run" / host
    if not own.is_dir():
        _make_run(own)
    for source in shown:
        place = own / source.relative_to("/run")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.touch()
        mount(str(source), str(place), flags=MS_BIND)
    mount(str(own), "/run", flags=MS_BIND | MS_REC)


def mount_nameless_run(host: str, networks: Mapping[str, Path], scratch: Path) -> None:
    """The same without a name of the world's: `networks` are shown in /run/netns by the names given.

    The world's own /run is taken off, so that no list of mounts has it. `scratch` is an empty folder.
    """
    own = PLACE / "run" / sha256(os.fsencode(host)).hexdigest()[:8]
    if not own.is_dir():
        _make_run(own)
    for name, source in networks.items():
        place = own / "netns" / name
        place.parent.mkdir(exist_ok=True)
        place.touch()
        mount(str(source), str(place), flags=MS_BIND)
    mount(str(own), str(scratch), flags=MS_BIND | MS_REC)
    detach("/run")
    mount(str(scratch), "/run", flags=MS_MOVE)


def make_files_read_only() -> None:
    """Make every mount of files of the machine's read-only; /dev, /proc, /run and /sys are the world's own.

    Flags that are there stay: another user namespace may have locked them. The caller has mounts of its own.
    """
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as lines:
        found = [line.split(maxsplit=6)[4:6] for line in lines]
    for where, options in found:
        place = _OCTAL.sub(lambda code: chr(int(code[1], 8)), where)
        if Path(place).parts[1:2] not in _OWN:
            flags = [flag for name, flag in _KEPT.items() if name in options.split(",")]
            mount("none", place, flags=sum(flags, MS_REMOUNT | MS_BIND | MS_RDONLY))


def _make_run(own: Path) -> None:
    """Make it aside and put it in its place whole: services of one host start side by side."""
    own.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=own.parent))
    made.chmod(0o755)
    for path in Path("/run").iterdir():
        if path.is_dir() and path.name not in {"hosts", "netns", PLACE.name}:
            copy = made / path.name
            copy.mkdir()
            status = path.stat()
            os.chown(copy, status.st_uid, status.st_gid)
            copy.chmod(status.st_mode & 0o7777)
    try:
        made.rename(own)
    except OSError:  # another service was first
        shutil.rmtree(made)
        if not own.is_dir():
            raise
