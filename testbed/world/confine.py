"""The namespaces in which commands run: below the world's own, and without rights over them.

A command is root of a user namespace of its own, below the world's. That namespace owns the network
namespaces of the hosts, so a command may do there all that root may: addresses, routes, firewalls, NFQUEUE,
raw sockets, tunnels. It has no rights over the rest. The routers and their censors belong to the world. So do
the mounts: a copy of them that another user namespace makes is locked, and nothing that is mounted can be
unmounted to see what lies below (mount_namespaces(7)). Its PID namespace does not show the processes of the
world. bubblewrap, too, mounts in one user namespace and runs its command in a second one.

All commands of a world share the two namespaces; each has mounts of its own.
"""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from testbed.world import linux
from testbed.world.fork import fork
from testbed.world.latch import Latch
from testbed.world.mounts import PLACE, TERMINALS, mount_proc, mount_sys, mount_terminal

_USERS, _PROCESSES = PLACE / "commands.user", PLACE / "commands.pid"
_ALL_IDS = 0xFFFFFFFF
_MOST_FDS = 250  # in one message; the kernel's limit is 253


def hold() -> None:
    """Make both namespaces, and a process that holds them. Called once, by the world's first process."""
    for place in (_USERS, _PROCESSES):
        place.touch()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    began, begin = os.pipe()
    mapped, mapping = os.pipe()
    linux.unshare(linux.CLONE_NEWPID)  # of the next child
    try:
        holder = fork(partial(_hold, begin, mapped), own_group=False, signals=False)
    finally:
        linux.setns(own, linux.CLONE_NEWPID)
    os.close(begin)
    os.read(began, 1)
    for name in ("uid_map", "gid_map"):
        ours = [line.split() for line in Path("/proc/self", name).read_text(encoding="ascii").splitlines()]
        same = "\n".join(f"{inside} {inside} {count}" for inside, _, count in _in_two(ours))
        Path(f"/proc/{holder}", name).write_text(same, encoding="ascii")
    for place, kind in ((_USERS, "user"), (_PROCESSES, "pid")):
        linux.mount(f"/proc/{holder}/ns/{kind}", str(place), flags=linux.MS_BIND)
    os.write(mapping, b"!")
    for fd in (own, began, mapped, mapping):
        os.close(fd)


def _in_two(ranges: list[list[str]]) -> list[list[str]]:
    """All ids in two ranges: programs take one for the sign that they are in no user namespace."""
    if ranges == [["0", "0", str(_ALL_IDS)]]:
        return [["0", "0", "1"], ["1", "1", str(_ALL_IDS - 1)]]
    return ranges


def _hold(begin: int, mapped: int) -> None:
    """The first process of the commands' PID namespace: collects orphans."""
    try:
        linux.unshare(linux.CLONE_NEWUSER)
    except OSError:
        return  # `hold` cannot write this one's map then: one error, and there
    os.write(begin, b"!")
    os.read(mapped, 1)
    linux.traceable(allowed=False)  # it is the one process of the world's that commands see
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


@dataclass(frozen=True, slots=True)
class Gate:
    """What it takes to get from the world to the commands, as open descriptors. No command sees the files."""

    users: int
    processes: int
    terminals: int  # the folder of the machine's


_opening: list[Latch] = []


def opens_at(ready: Latch) -> None:
    """The first process is still making it: `gate` waits for that."""
    _opening.append(ready)


@cache
def gate() -> Gate:
    """That of this world. A process that mounts over /run, or its parent, MUST have called it before."""
    for ready in _opening:
        ready.wait()
    users, processes = (os.open(place, os.O_RDONLY | os.O_CLOEXEC) for place in (_USERS, _PROCESSES))
    return Gate(users, processes, os.open(TERMINALS, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def network_namespaces(number: int) -> list[int]:
    """New network namespaces that belong to commands, as open descriptors."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        maker = fork(partial(_make_networks, theirs, number), own_group=False)
        theirs.close()
        made: list[int] = []
        while len(made) < number:
            _, fds, _, _ = socket.recv_fds(ours, 1, _MOST_FDS)
            if not fds:
                break
            made += fds
        status = os.waitpid(maker, 0)[1]
    if status or len(made) < number:
        raise OSError(f"made {len(made)} of {number} network namespaces")
    return made


def _make_networks(connection: socket.socket, number: int) -> None:
    become_root_of_commands()
    made = []
    for _ in range(number):
        linux.unshare(linux.CLONE_NEWNET)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    for start in range(0, number, _MOST_FDS):
        socket.send_fds(connection, [b"!"], made[start : start + _MOST_FDS])


def become_root_of_commands() -> None:
    """Have a command's rights, and no others: some of netfilter asks for those of the network's own owner.

    xt_owner of Linux refuses a rule of anybody else. The caller is a child for one task of the world's.
    """
    linux.setns(gate().users, linux.CLONE_NEWUSER)


def lead_to_commands() -> None:
    """From now on, children that this process starts are in the commands' PID namespace.

    Until they have stepped down they still have the world's rights: no command may trace them.
    """
    linux.traceable(allowed=False)
    linux.setns(gate().processes, linux.CLONE_NEWPID)


@contextmanager
def children_among_commands() -> Iterator[None]:
    """The same for the block alone."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        lead_to_commands()
        yield
    finally:
        linux.setns(own, linux.CLONE_NEWPID)
        linux.traceable(allowed=True)
        os.close(own)


def step_down() -> None:
    """Become a command: give up the world's rights for good. The caller has mounts of its own.

    It MUST be a child that was started in `children_among_commands`. What is mounted by now is locked.
    """
    dying, parent = linux.dies_with_parent(), os.getppid()
    mount_terminal(gate().terminals)
    mount_proc()
    mount_sys()
    become_root_of_commands()
    linux.unshare(linux.CLONE_NEWNS)
    if dying:  # a change of credentials has cleared it
        linux.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
