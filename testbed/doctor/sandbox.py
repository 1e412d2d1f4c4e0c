"""Private namespaces for one check, entered the way a world is: by the interpreter itself.

By system call and not through the program `unshare`, because some distributions allow that program what
they forbid to Python, and it is Python that builds worlds.
"""

import ctypes
import os
import signal
from pathlib import Path

NEWNS, NEWUSER, NEWPID, NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
ALL = NEWNS | NEWPID | NEWNET
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def needs_user_namespace() -> bool:
    """Whether namespaces have to be made inside a user namespace: everybody but root."""
    return os.geteuid() != 0


def unshare(flags: int) -> None:
    """Leave namespaces; in a new user namespace, become its root. OSError if the kernel refuses."""
    uid, gid = os.geteuid(), os.getegid()
    if needs_user_namespace():
        flags |= NEWUSER
    _check(_libc.unshare(flags), "unshare")
    if flags & NEWUSER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def mount(kind: str, target: str) -> None:
    """Mount a fresh file system of this kind."""
    flags = _MS_NOSUID | _MS_NODEV | (_MS_NOEXEC if kind == "proc" else 0)
    _check(
        _libc.mount(kind.encode(), target.encode(), kind.encode(), flags, None), f"mount {kind} on {target}"
    )


def private_mounts() -> None:
    """Let no mount of ours spread to the host."""
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent is gone."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def enter() -> None:
    """Continue as the first process of private user, mount, network and PID namespaces.

    The calling process stays behind as the parent and leaves with the child's exit status.
    """
    unshare(ALL)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    die_with_parent()
    private_mounts()
    mount("proc", "/proc")
    mount("tmpfs", "/run")


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
