"""Network namespaces of a world: creating and entering them, and verifying that one belongs to this world."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import InvalidRunError
from testbed.world import confine, linux, mounts

NAMED = Path("/run/netns")  # where `ip netns` looks
EVERYWHERE = ("far", "domestic")  # hosts that every world has
_MARKS = mounts.PLACE  # a file for each namespace, which has its identity as name, and its name in it
_HOSTS = _MARKS / "hosts"  # a file for each that commands may enter
_WORLD = _MARKS / "world"
_FIRST = _MARKS / "first-process"
_HERE = "/proc/thread-self/ns/net"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, held open. It has a name in /run/netns, where `ip netns` looks."""

    name: str
    fd: int

    @classmethod
    def create(cls, name: str) -> "Namespace":
        """Create one that belongs to the world: commands cannot enter it. The caller stays in its own."""
        _assert_world(name)
        home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            linux.unshare(linux.CLONE_NEWNET)
            return cls._named(name, _HERE)
        finally:
            linux.setns(home)
            os.close(home)

    @classmethod
    def create_hosts(cls, names: Sequence[str]) -> "list[Namespace]":
        """Create those of hosts, in which commands run and which they may enter (`ip netns exec NAME`)."""
        for name in names:
            _assert_world(name)
        made = []
        for name, fd in zip(names, confine.network_namespaces(len(names)), strict=True):
            made.append(cls._named(name, f"/proc/self/fd/{fd}"))
            os.close(fd)
            (_HOSTS / name).touch()
        return made

    @classmethod
    def adopt(cls, name: str, fd: int) -> "Namespace":
        """Take a container's into the world; commands of other hosts cannot enter it.

        Errors: InvalidRunError unless it is empty: this must not be the machine's own.
        """
        _assert_world(name)
        made = cls._named(name, f"/proc/self/fd/{fd}")
        with inside(made):
            found = sorted(name for _, name in socket.if_nameindex())
        if found != ["lo"]:
            raise InvalidRunError(f"the network of {name} has interfaces already: {', '.join(found)}")
        return made

    @classmethod
    def _named(cls, name: str, link: str) -> "Namespace":
        place = NAMED / name
        place.touch(exist_ok=False)
        linux.mount(link, str(place), flags=linux.MS_BIND)
        namespace = cls.open(name)
        (_MARKS / _identity(namespace.fd)).write_text(name, encoding="ascii")
        return namespace

    @classmethod
    def open(cls, name: str) -> "Namespace":
        """Open one that another process of this world has created."""
        return cls(name, os.open(NAMED / name, os.O_RDONLY | os.O_CLOEXEC))


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """Enter `namespace` for the block. Sockets opened and programs started in it stay there."""
    home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        linux.setns(namespace.fd)
        try:
            yield
        finally:
            linux.setns(home)
    finally:
        os.close(home)


def enter(namespace: Namespace) -> None:
    """Move this process into `namespace` (for a forked child)."""
    linux.setns(namespace.fd)


def show_run_of_host(host: str, *files: Path) -> None:
    """Mount the /run of `host` over the world's: its own files, `files`, and the hosts for `ip netns`.

    The caller has mounts of its own.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    hosts = [NAMED / path.name for path in _HOSTS.iterdir()]
    mounts.mount_run_of(host, [*hosts, *files])


def show_nameless_run(host: str, scratch: Path) -> None:
    """The same, of the hosts only its own and those that every world has, and no name of it: "here".

    The world's /run is out of reach afterwards. `scratch` is an empty folder.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    networks = {"here": NAMED / host, **{name: NAMED / name for name in EVERYWHERE}}
    mounts.mount_nameless_run(host, networks, scratch)


def mark_world(first_process: str) -> None:
    """Record in the private /run which PID namespace it belongs to. Called once per world.

    `first_process` is /proc/PID/stat of the world's first process, as it is seen from outside.
    """
    NAMED.mkdir()
    _HOSTS.mkdir()
    _WORLD.write_text(_world_identity(), encoding="ascii")
    _FIRST.write_text(first_process, encoding="utf-8")


def first_process() -> tuple[int, int]:
    """The world's first process as seen from outside: PID and start time (clock ticks since boot).

    Errors: InvalidRunError outside a world.
    """
    _assert_world("the current one")
    name, _, fields = _FIRST.read_text(encoding="utf-8").rpartition(")")
    return int(name.split()[0]), int(fields.split()[19])  # proc_pid_stat(5): the 1st and the 22nd


def assert_ours(namespace: Namespace | None = None) -> None:
    """Raise unless `namespace` (None: the current one) was created by this world.

    To be called before a filter is attached: a mistake must not reach the host's network.

    Errors: InvalidRunError.
    """
    name = namespace.name if namespace else "the current one"
    _assert_world(name)
    if namespace:
        mark = _MARKS / _identity(namespace.fd)
    else:
        with Path(_HERE).open("rb") as here:
            mark = _MARKS / _identity(here.fileno())
    if not mark.is_file() or (namespace and mark.read_text(encoding="ascii") != namespace.name):
        raise InvalidRunError(f"network namespace {name}: not created by this world; refusing to change it")


def _assert_world(name: str) -> None:
    if not _WORLD.is_file() or _WORLD.read_text(encoding="ascii") != _world_identity():
        raise InvalidRunError(
            f"network namespace {name}: this process is not inside a world; start it by testbed.world.enter"
        )


def _identity(fd: int) -> str:
    status = os.fstat(fd)
    return f"net.{status.st_dev}.{status.st_ino}"


def _world_identity() -> str:
    return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (not a path: "pid:[4026532281]")
