"""The users and groups of a world that an ordinary user makes.

Anybody may make a user namespace with one user in it: root, who is that user outside. More need a grant of
*subordinate ids*: lines in /etc/subuid and /etc/subgid, and the programs newuidmap and newgidmap, which
Debian has in the package uidmap. With them the world has as many users and groups as were granted, from 1 on,
and programs run that change their user or groups (tcpdump, tor, sshd).
"""

import os
import pwd
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.world import linux
from testbed.world.fork import fork

SUBUID, SUBGID = Path("/etc/subuid"), Path("/etc/subgid")


@dataclass(frozen=True, slots=True)
class IdKind:
    """Users or groups: where the kernel has their map, where the grants are, which program maps them."""

    map: str
    grants: Path
    program: str


USERS = IdKind("uid_map", SUBUID, "newuidmap")
GROUPS = IdKind("gid_map", SUBGID, "newgidmap")


def granted(kind: IdKind, user: int) -> list[tuple[int, int]]:
    """The ranges (first, count) that `user` may map, by the machine's file; see subuid(5)."""
    try:
        lines = kind.grants.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    fields = [line.split(":") for line in lines if line.count(":") == 2]
    owners = {str(user)}
    if fields:
        with suppress(KeyError):
            owners.add(pwd.getpwuid(user).pw_name)
    return [
        (int(first), int(count))
        for owner, first, count in fields
        if owner in owners and first.isdigit() and count.isdigit() and int(count)
    ]


def find(kind: IdKind) -> str:
    """The path of the program that maps them; "" if it is not installed."""
    return shutil.which(kind.program, path="/usr/bin:/bin:/usr/local/bin") or ""


def unshare(flags: int) -> None:
    """Enter a new user namespace, and those of `flags`, as its root, with all ids that this user may have.

    OSError if the kernel refuses. What `die_with_parent` set is cleared.
    """
    user, group = os.geteuid(), os.getegid()
    mappers = [_mapper(kind, own, user) for kind, own in ((USERS, user), (GROUPS, group))]
    try:
        linux.unshare(flags | linux.CLONE_NEWUSER)
        for mapper in filter(None, mappers):
            mapper.ask()
    except OSError:
        for mapper in filter(None, mappers):
            mapper.cancel()
        raise
    users, groups = (mapper is not None and mapper.done() for mapper in mappers)
    if not users:
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
    if not groups:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")


class _Mapper:
    """A process outside the new namespace that maps ids in it, once it is asked to."""

    def __init__(self, command: list[str]) -> None:
        waiting, self._asking = os.pipe()
        self._pid = fork(partial(_map_when_asked, waiting, command), own_group=False, signals=False)
        os.close(waiting)

    def ask(self) -> None:
        """Let it begin."""
        os.write(self._asking, b"!")

    def done(self) -> bool:
        """Wait for it; whether it has mapped them."""
        os.close(self._asking)
        return os.waitpid(self._pid, 0)[1] == 0

    def cancel(self) -> None:
        """End it: there is no namespace."""
        os.kill(self._pid, signal.SIGKILL)
        self.done()


def _map_when_asked(waiting: int, command: list[str]) -> None:
    os.read(waiting, 1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # why it cannot is the doctor's to report
    os.execv(command[0], command)


def _mapper(kind: IdKind, own: int, user: int) -> _Mapper | None:
    """Started before the namespace is made: it must stay outside. None if there is nothing to map."""
    ranges = granted(kind, user)
    program = find(kind) if ranges else ""
    if not program:
        return None
    command, inside = [program, str(os.getpid()), "0", str(own), "1"], 1
    for first, count in ranges:
        command += [str(inside), str(first), str(count)]
        inside += count
    return _Mapper(command)
