"""Private namespaces for one check, entered the way a world is: by the interpreter itself.

By system call and not through the program `unshare`, because some distributions allow that program what
they forbid to Python, and it is Python that builds worlds.
"""

import os
from pathlib import Path

from testbed.world import linux

ALL = linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET


def needs_user_namespace() -> bool:
    """Whether namespaces have to be made inside a user namespace: for everybody without root's rights."""
    return not linux.may_administer()


def unshare(flags: int) -> None:
    """Leave namespaces; in a new user namespace, become its root. OSError if the kernel refuses."""
    uid, gid = os.geteuid(), os.getegid()
    if needs_user_namespace():
        flags |= linux.CLONE_NEWUSER
    linux.unshare(flags)
    linux.die_with_parent()  # a change of credentials has cleared it
    if flags & linux.CLONE_NEWUSER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def private_run() -> None:
    """Give the mount namespace an own /run, and let no mount of ours spread to the host."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", "/run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV)


def private_proc() -> None:
    """Mount a /proc that shows the PID namespace of this process."""
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
