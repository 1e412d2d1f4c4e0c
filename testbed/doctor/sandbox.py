"""Private namespaces for one check, entered as a world is: by the interpreter itself.

By system call and not through the program `unshare`, because some distributions allow that program what
they forbid Python, and Python builds the worlds.
"""

from testbed.world import linux, subordinate
from testbed.world.enter import ALL_NAMESPACES as ALL

__all__ = ["ALL", "needs_user_namespace", "private_proc", "private_run", "unshare"]


def needs_user_namespace() -> bool:
    """Whether namespaces must be inside a user namespace, as without root's privileges."""
    return not linux.may_administer()


def unshare(flags: int) -> None:
    """Enter new namespaces; in a new user namespace, become its root. OSError if the kernel refuses."""
    if needs_user_namespace():
        subordinate.unshare(flags)
    else:
        linux.unshare(flags)
    linux.die_with_parent()  # a change of credentials has cleared it


def private_run() -> None:
    """Mount a private /run, and keep mounts from propagating to the host."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", "/run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV)


def private_proc() -> None:
    """Mount a /proc that shows the PID namespace of this process."""
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
