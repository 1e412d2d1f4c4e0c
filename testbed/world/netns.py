"""Network namespaces of a world: making them, going in, and telling ours from everybody else's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import InvalidRunError
from testbed.world import linux

NAMED = Path("/run/netns")  # where `ip netns` looks
_MARKS = Path("/run/testbed")  # in the world's own /run: one file per namespace we made, holding its identity
_WORLD = _MARKS / "world"
_FIRST = _MARKS / "first-process"
_HERE = "/proc/thread-self/ns/net"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, held open. `ip netns exec NAME` finds it too, inside the world."""

    name: str
    fd: int

    @classmethod
    def create(cls, name: str) -> "Namespace":
        """Make a new one; the caller's own namespace stays what it was."""
        _assert_world(name)
        place = NAMED / name
        place.touch(exist_ok=False)
        home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            linux.unshare(linux.CLONE_NEWNET)
            linux.mount(_HERE, str(place), flags=linux.MS_BIND)
        finally:
            linux.setns(home)
            os.close(home)
        namespace = cls.open(name)
        (_MARKS / f"ns.{name}").write_text(_identity(namespace.fd), encoding="ascii")
        return namespace

    @classmethod
    def open(cls, name: str) -> "Namespace":
        """One that exists already, from another process of the same world."""
        return cls(name, os.open(NAMED / name, os.O_RDONLY | os.O_CLOEXEC))


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """Be in `namespace` for the block: sockets opened and programs started there belong to it for good."""
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
    """Move this process into `namespace` for good (for a forked child)."""
    linux.setns(namespace.fd)


def mark_world(first_process: str) -> None:
    """Note, in the private /run, which PID namespace it belongs to. Called once, on entering a world.

    `first_process` is /proc/PID/stat of the world's first process, as it is seen from outside.
    """
    NAMED.mkdir()
    _MARKS.mkdir()
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
    """Refuse to go on unless `namespace` (none: the current one) was made by this very world.

    Whoever attaches a filter calls this first: a mistake must not end in the host's network.

    Errors: InvalidRunError.
    """
    name = namespace.name if namespace else "the current one"
    _assert_world(name)
    if namespace:
        identity = _identity(namespace.fd)
        known = [_MARKS / f"ns.{namespace.name}"]
    else:
        with Path(_HERE).open("rb") as here:
            identity = _identity(here.fileno())
        known = list(_MARKS.glob("ns.*"))
    if not any(mark.is_file() and mark.read_text(encoding="ascii") == identity for mark in known):
        raise InvalidRunError(f"network namespace {name}: not built by this testbed, refusing to touch it")


def _assert_world(name: str) -> None:
    if not _WORLD.is_file() or _WORLD.read_text(encoding="ascii") != _world_identity():
        raise InvalidRunError(
            f"network namespace {name}: this process is not inside a world; start it by testbed.world.enter"
        )


def _identity(fd: int) -> str:
    status = os.fstat(fd)
    return f"{status.st_dev}:{status.st_ino}"


def _world_identity() -> str:
    return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (not a path: "pid:[4026532281]")
