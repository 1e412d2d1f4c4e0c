"""Private namespaces, which isolate a world from the host and let the kernel clean it up."""

import os
from functools import partial
from pathlib import Path

from testbed.doctor import sandbox
from testbed.doctor.feature import Absent, Feature, Need
from testbed.world import confine, linux, subordinate
from testbed.world.children import call
from testbed.world.mounts import PLACE, TERMINALS

_RESTRICTIONS = (
    ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def restriction() -> tuple[str, str] | None:
    """The setting that forbids user namespaces, as (setting, command that allows them), if known."""
    for path, forbidding, command in _RESTRICTIONS:
        try:
            value = Path(path).read_text().strip()
        except OSError:
            continue
        if value == forbidding:
            return path.removeprefix("/proc/sys/").replace("/", ".") + f"={value}", command
    return None


def user() -> str:
    """Become root of a new user namespace, with its capabilities."""
    if not sandbox.needs_user_namespace():
        return "not needed with root's privileges"
    try:
        # A mount needs the capabilities that some distributions withhold from a new user namespace.
        sandbox.unshare(linux.CLONE_NEWNS)
        sandbox.private_run()
    except OSError as error:
        known = restriction()
        if known:
            raise Absent(f"{error.strerror} ({known[0]})", known[1]) from error
        raise
    return f"root for user {Path('/proc/self/uid_map').read_text().split()[1]}"


def commands() -> str:
    """Step down into a user namespace below the sandbox's, with a network that belongs to it."""
    PLACE.mkdir()
    TERMINALS.mkdir()
    confine.hold()
    network = confine.network_namespaces(1)[0]
    with confine.children_among_commands():
        return call(partial(_as_command, network))


def _as_command(network: int) -> str:
    linux.setns(network)
    linux.unshare(linux.CLONE_NEWNS)
    confine.step_down()
    linux.loopback_up()
    try:
        linux.mount("none", "/sys", flags=linux.MS_REMOUNT | linux.MS_BIND)
    except PermissionError:
        return "root of its network, without rights over the mounts"
    raise Absent("a command may change the mounts of the world")


def groups() -> str:
    """Become another user of another group, as programs do that give up their rights."""
    if not sandbox.needs_user_namespace():
        return "not needed with root's privileges"
    user, lacks = os.geteuid(), []
    for kind in (subordinate.USERS, subordinate.GROUPS):
        if not subordinate.granted(kind, user):
            lacks.append(f"{kind.grants} has no line for this user")
        if not subordinate.find(kind):
            lacks.append(f"the program {kind.program} is not installed")
    if lacks:
        raise Absent("; ".join(lacks))
    sandbox.unshare(linux.CLONE_NEWNS)
    try:
        os.setgroups([1])
        os.setresgid(1, 1, 1)
        os.setresuid(1, 1, 1)
    except OSError as error:
        raise Absent(f"newuidmap or newgidmap refuses, or maps too little: {error.strerror}") from error
    return f"{sum(count for _, count in subordinate.granted(subordinate.USERS, user))} users"


def cgroups() -> str:
    """Version 2 alone, as current distributions have it."""
    if not Path("/sys/fs/cgroup/cgroup.controllers").is_file():
        raise Absent("/sys/fs/cgroup is of version 1, or of both")
    return "version 2"


def mounts() -> str:
    """Mount something privately."""
    sandbox.unshare(linux.CLONE_NEWNS)
    sandbox.private_run()
    return "private /run"


def network() -> str:
    """Bring up a loopback of its own."""
    sandbox.unshare(linux.CLONE_NEWNET)
    names = [line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]]
    if "lo" not in names:
        raise Absent(f"the new namespace has these interfaces: {', '.join(names) or 'none'}")
    linux.loopback_up()
    return "has its own loopback"


def processes() -> str:
    """Become process 1."""
    sandbox.unshare(linux.CLONE_NEWPID)
    if (number := call(os.getpid)) != 1:
        raise Absent(f"the first process is number {number}")
    return "has its own process 1"


def proc() -> str:
    """Mount a fresh /proc and enable forwarding in it."""
    sandbox.unshare(sandbox.ALL)
    return call(_forward)


def _forward() -> str:
    sandbox.private_run()
    sandbox.private_proc()
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    if Path("/proc/self").readlink() != Path("1"):
        raise Absent("/proc shows another PID namespace")
    return "writable /proc/sys"


_CONTAINER = "as root; in a container add --cap-add SYS_ADMIN --cap-add NET_ADMIN"

FEATURES = (
    Feature(
        "user-namespaces",
        "user namespaces",
        Need.REQUIRED,
        "an ordinary user cannot build a world",
        "ask an administrator to allow them, or run with sudo or in a container",
        user,
        isolated=False,
    ),
    Feature(
        "mount-namespaces",
        "mount namespaces",
        Need.REQUIRED,
        "no world",
        f"run {_CONTAINER}",
        mounts,
        isolated=False,
    ),
    Feature(
        "net-namespaces",
        "network namespaces",
        Need.REQUIRED,
        "no world",
        f"run {_CONTAINER}",
        network,
        isolated=False,
    ),
    Feature(
        "pid-namespaces",
        "PID namespaces",
        Need.REQUIRED,
        "no world",
        f"run {_CONTAINER}",
        processes,
        isolated=False,
    ),
    Feature(
        "private-proc",
        "a fresh /proc in them",
        Need.REQUIRED,
        "hops cannot forward packets",
        f"run {_CONTAINER} (and, where AppArmor is on, --security-opt apparmor=unconfined)",
        proc,
        isolated=False,
    ),
    Feature(
        "commands",
        "a user namespace for commands",
        Need.REQUIRED,
        "commands would have all rights in their world",
        "sudo sysctl -w user.max_user_namespaces=10000; in a container keep the capabilities SETUID, SETGID "
        "and SETFCAP, which Docker gives by default",
        commands,
    ),
    Feature(
        "subordinate-ids",
        "subordinate user and group ids",
        Need.OPTIONAL,
        "programs that change user or groups do not run: tcpdump, nfqws, tpws, tor, sshd",
        "sudo apt-get install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
        '"$USER"',
        groups,
        isolated=False,
    ),
    Feature(
        "cgroup-v2",
        "cgroup version 2",
        Need.INFORMATION,
        "programs inside do not see the limits of memory and CPUs that they have",
        "boot with systemd.unified_cgroup_hierarchy=1",
        cgroups,
        isolated=False,
    ),
)
