"""System calls that Python 3.11 lacks (os.unshare and os.setns came with 3.12), through the C library."""

import ctypes
import errno
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Iterable
from fcntl import ioctl
from pathlib import Path

from testbed.errors import UnsupportedError

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 1024, 2048, 1 << 21
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18

_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2
_PR_SET_DUMPABLE = 4
_PR_SET_TIMERSLACK = 29
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_SFD_CLOEXEC, _SFD_NONBLOCK = 0o2000000, 0o4000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _RDONLY = 442, -100, 0x8000, 1  # the number on every architecture
_SIGNAL_SET = 128  # octets of the C library's sigset_t
_FEWEST_DESCRIPTORS = 512  # measured: four operators of the library run with it, not with 400
_MANY_DESCRIPTORS = 65_536  # our choice; a hundred operators need 2,000
_SI_KERNEL = 0x80  # a signal's code if nobody sent it: it comes from the terminal

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces of the kinds in `flags` (CLONE_NEW…). OSError if refused."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, kinds: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace that `fd` refers to, or into `kinds` of those of a pidfd."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kinds)), "setns")


def fork() -> int:
    """os.fork without Python 3.12's warning about other threads: our children do not use what threads lock.

    (Where warnings are errors it would be raised in the parent, when the child already exists.)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2); OSError names the target."""
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode(),
            ctypes.c_ulong(flags),
            os.fsencode(options) or None,
        ),
        f"mount on {target}",
    )


def make_read_only(target: str, *, undo: bool = False) -> None:
    """Nobody can write below `target`, or again (`undo`): every mount there, not the files. OSError names it.

    mount_setattr(2), Linux 5.12.
    """
    attributes = struct.pack("=QQQQ", *((0, _RDONLY) if undo else (_RDONLY, 0)), 0, 0)
    _check(
        _libc.syscall(
            ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), os.fsencode(target),
            ctypes.c_uint(_AT_RECURSIVE), attributes, ctypes.c_size_t(len(attributes)),
        ),
        f"mount_setattr of {target}",
    )  # fmt: skip


def detach(target: str) -> None:
    """Unmount what is mounted there, with all below it; who uses it goes on. OSError names the target."""
    _check(_libc.umount2(os.fsencode(target), 2), f"umount of {target}")  # MNT_DETACH


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends. Not inherited by children.

    The parent may have ended before this call: the caller MUST check afterwards.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def dies_with_parent() -> bool:
    """Whether `die_with_parent` is in force. A change of credentials has ended it."""
    number = ctypes.c_int()
    _check(_libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0), "prctl(PR_GET_PDEATHSIG)")
    return number.value != 0


def traceable(allowed: bool) -> None:  # noqa: FBT001 (the only thing it can be)
    """Whether other processes of this user may trace this one, and follow its /proc links.

    Inherited by children until they execute a program.
    """
    _check(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(allowed), 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def signalfd(signals: Iterable[int]) -> int:
    """A descriptor to read `signals` from, which the calling thread MUST have blocked: `read_signals`."""
    mask = sum(1 << number - 1 for number in signals).to_bytes(_SIGNAL_SET, sys.byteorder)
    fd: int = _libc.signalfd(ctypes.c_int(-1), mask, ctypes.c_int(_SFD_CLOEXEC | _SFD_NONBLOCK))
    _check(fd, "signalfd")
    return fd


def read_signals(fd: int) -> list[tuple[int, bool]]:
    """The signals that have arrived at a signalfd: number, and whether the terminal sent it to its group."""
    try:
        data = os.read(fd, 16 * 128)
    except BlockingIOError:
        return []
    found = [struct.unpack_from("=Iii", data, start) for start in range(0, len(data), 128)]
    return [(number, code == _SI_KERNEL) for number, _, code in found]


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class Poller:
    """`select.select` fails from descriptor 1,024 on, and `select.poll` counts in milliseconds: ppoll(2)."""

    def __init__(self, fds: Iterable[int]) -> None:
        self._poll = select.poll()  # twice as quick, for when there is no time to keep
        self._fds = list(fds)
        for fd in self._fds:
            self._poll.register(fd, select.POLLIN)
        self._polled = (_PollFd * len(self._fds))(*[_PollFd(fd, select.POLLIN, 0) for fd in self._fds])
        self._time = _TimeSpec()

    def wait(self, timeout: float | None = None) -> list[int]:
        """Those that are readable or hung up, once some are; none after `timeout` seconds, or at a signal."""
        if timeout is None:
            return [fd for fd, _ in self._poll.poll()]
        self._time.seconds, self._time.nanoseconds = int(timeout), int(timeout % 1 * 1e9)
        ready = _libc.ppoll(self._polled, ctypes.c_ulong(len(self._fds)), ctypes.byref(self._time), None)
        if ready == -1 and ctypes.get_errno() != errno.EINTR:
            _check(ready, "ppoll")
        return [polled.fd for polled in self._polled if polled.revents] if ready > 0 else []

    def pause(self, milliseconds: int) -> list[int]:
        """As `wait`, twice as quick, and a signal that nothing becomes readable by does not end it."""
        return [fd for fd, _ in self._poll.poll(milliseconds)]


def precise_timers() -> None:
    """End this process's sleeps on time: by default the kernel may add 50 µs."""
    _check(_libc.prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0), "prctl(PR_SET_TIMERSLACK)")


_descriptors_before: list[int] = []  # the soft limit, once it was raised


def require_descriptors() -> None:
    """UnsupportedError if a process may not open the files that a world of some operators needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _FEWEST_DESCRIPTORS:
        raise UnsupportedError(
            f"only {hard} open files are allowed here (ulimit -n); a world needs {_FEWEST_DESCRIPTORS}, one "
            "of many operators more; raise the limit"
        )


def allow_many_descriptors() -> None:
    """Raise this process's limit of open files; children and programs inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < min(hard, _MANY_DESCRIPTORS):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _MANY_DESCRIPTORS), hard))
        _descriptors_before.append(soft)


def restore_descriptors() -> None:
    """Undo `allow_many_descriptors`, in a child that becomes the user's program."""
    if _descriptors_before:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_descriptors_before[0], hard))


def may_administer() -> bool:
    """Whether this process has CAP_NET_ADMIN and CAP_SYS_ADMIN: real root, or a container given both."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    return all(effective >> capability & 1 for capability in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))


def loopback_up() -> None:
    """Set the loopback interface of the current network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", ioctl(any_socket, _SIOCGIFFLAGS, request), 16)[0]
        ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def program(name: str, package: str) -> str:
    """Path of a system program, also in the sbin folders, which an ordinary user's PATH may lack.

    Errors: UnsupportedError that names the package.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        raise UnsupportedError(f"the program '{name}' is missing; install it: apt-get install {package}")
    return found
