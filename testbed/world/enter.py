"""The way into a private set of namespaces, in which everything else of a run happens.

Four processes: the *outer* one, which the user started; the *gatekeeper*, which makes the namespaces (making
a PID namespace moves one's children, not oneself); *init*, PID 1 of the new namespace, which mounts what a
world has of its own and then only collects orphans; and *main*, an ordinary process whose children no other
process reaps. Each dies with the one before it, and with init the kernel removes all the rest.

Commands run in namespaces below these: `testbed.world.confine`.

A signal that asks the run to end is the outer process's to take: it writes the number to main's pipe. The
terminal's Ctrl-C is the exception, because the terminal has sent it to main as well. Gatekeeper and init have
the signals blocked.
"""

import errno
import gc
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from testbed.compiled import NEW_OBJECTS
from testbed.errors import InputError, InvalidRunError, RunInterrupted, UnsupportedError
from testbed.world import confine, hostsockets, interrupt, linux, mounts, netns, subordinate
from testbed.world.children import ending_of
from testbed.world.fork import Slot, die_with, fork, supervise
from testbed.world.latch import Latch

T = TypeVar("T")

ALL_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWCGROUP
)


def run_isolated(main: Callable[[], int]) -> int:
    """Run `main` in new namespaces (of every kind but time; user too, unless privileged); return its status.

    Inside, the process is root of its own world, with only a loopback interface and a private /run, /proc,
    /sys and /dev; sockets of the machine's programs are covered.
    When this process ends, by whatever means, all of it ends. The first SIGINT, SIGTERM or SIGHUP raises
    `RunInterrupted` (a KeyboardInterrupt) in `main`, where it waits or checks by `testbed.world.interrupt`,
    as all waiting in `testbed.world.children` does; a second one does not disturb its clean-up. If `main`
    lets it pass, or never looks, the status is 128 + signal. (A terminal's quit key ends everything at once.)

    Errors: UnsupportedError if this machine refuses the namespaces or too few open files are allowed;
    InvalidRunError if a process was killed.
    """
    linux.require_descriptors()
    pipe = interrupt.pipe()
    errors = Slot()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, interrupt.heeded())
    signals = linux.signalfd(interrupt.heeded())
    _reset_child_signal()
    outer = os.pidfd_open(os.getpid())
    try:
        body = partial(_gatekeeper, outer, main, pipe, errors)
        gatekeeper = fork(body, own_group=False, signals=False, errors=errors)
        pass_on = partial(interrupt.forward, pipe[1])
        status = supervise(gatekeeper, signals, pass_on, terminal=(signal.SIGHUP,))
    finally:
        for fd in (*pipe, signals, outer):
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        outcome = errors.take()
    if outcome is not None:
        raise outcome[1]
    return _status(status, "the process that holds the world")


def isolated_call(function: Callable[[], T]) -> T:
    """Call `function` in new namespaces (see `run_isolated`); return its value or raise what it raised.

    The value must be picklable; an exception carries the traceback of the world's side as a note.

    Errors: as `run_isolated`.
    """
    slot = Slot()
    try:
        status = run_isolated(lambda: slot.fill(function))
    finally:
        outcome = slot.take()
    if status - 128 in interrupt.ENDING:
        raise RunInterrupted(status - 128)
    if outcome is None:
        raise InvalidRunError("the run's main process left no result")
    fine, value = outcome
    if not fine:
        raise value
    return value  # type: ignore[no-any-return]


def _reset_child_signal() -> None:
    """Some starters ignore SIGCHLD; then no child could be waited for."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _gatekeeper(outer: int, main: Callable[[], int], pipe: tuple[int, int], errors: Slot) -> int:
    reachable = hostsockets.bound()
    folders = mounts.folders_of_run()
    try:
        if linux.may_administer():
            linux.unshare(ALL_NAMESPACES)
        else:
            subordinate.unshare(ALL_NAMESPACES)
    except OSError as refusal:
        raise UnsupportedError(_refused(refusal)) from refusal
    die_with(outer)  # a change of credentials has cleared it
    body = partial(_init, main, pipe, reachable, folders)
    init = fork(body, own_group=False, signals=False, errors=errors)
    code = os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    return _status(code, "the world's first process")


def _init(
    main: Callable[[], int],
    pipe: tuple[int, int],
    reachable: Sequence[hostsockets.BoundSocket],
    folders: Mapping[Path, os.stat_result],
) -> int:
    seen_from_outside = Path("/proc/self/stat").read_text(encoding="utf-8")
    here = _working_folder()
    try:
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        mounts.mount_run(folders)
        mounts.mount_dev()
        mounts.mount_proc()
        mounts.mount_sys()
        _return_to(here)
        linux.loopback_up()
        netns.mark_world(seen_from_outside)
        ready = Latch()
        child = fork(partial(_main, main, pipe, ready), own_group=False, signals=False)
    except OSError as refusal:
        raise UnsupportedError(_refused(refusal)) from refusal
    try:
        # Meanwhile main goes on; whoever makes the first host waits (`confine.gate`).
        hostsockets.cover_all(reachable)
        confine.hold()
        ready.open()
    except OSError as refusal:
        raise UnsupportedError(
            f"namespaces: this machine refuses commands a user namespace of their own ({refusal.strerror}); "
            "remedy: sudo sysctl -w user.max_user_namespaces=10000; in a container keep the capabilities "
            "SETUID, SETGID and SETFCAP"
        ) from refusal
    while (ended := os.waitpid(-1, 0))[0] != child:  # orphans
        pass
    return _status(os.waitstatus_to_exitcode(ended[1]), "the run's main process")


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 (it may be gone)
    except OSError:
        return "/"


def _return_to(here: str) -> None:
    """Enter it by its name: the process may be in a folder that something has been mounted on."""
    try:
        os.chdir(here)
    except OSError as error:
        message = f"{here}: {error.strerror} in the world, whose /run is its own"
        raise InputError.at("", message, "run the command from another folder") from error


def _main(main: Callable[[], int], pipe: tuple[int, int], ready: Latch) -> int:
    linux.allow_many_descriptors()  # a world has some for each of its nodes
    gc.set_threshold(max(NEW_OBJECTS, gc.get_threshold()[0]))
    confine.opens_at(ready)
    with interrupt.listening(pipe):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt.heeded())
        status = main()
        interrupt.check()  # a signal that `main` did not notice
        return status


def _status(code: int, who: str) -> int:
    if code >= 0:
        return code
    raise InvalidRunError(f"{who} {ending_of(code)}; what was recorded is incomplete")


def _refused(refusal: OSError) -> str:
    remedies = [
        f"sudo sysctl -w {name}={good}"
        for name, good, bad in (
            ("kernel.apparmor_restrict_unprivileged_userns", "0", "1"),
            ("kernel.unprivileged_userns_clone", "1", "0"),
            ("user.max_user_namespaces", "10000", "0"),
            ("user.max_net_namespaces", "10000", "0"),
        )
        if _sysctl(name) == bad
    ]
    if refusal.errno in {errno.EPERM, errno.EACCES} or remedies:
        why = "this machine does not let an ordinary user make namespaces"
    elif refusal.errno == errno.ENOSPC:
        why = "no more namespaces are allowed (see sysctl user.max_user_namespaces, user.max_net_namespaces)"
    else:
        why = "this kernel could not make namespaces"
    ways = " or ".join(
        [*remedies, "run it with sudo", "in Docker with --cap-add NET_ADMIN --cap-add SYS_ADMIN (see README)"]
    )
    return f"namespaces: {why} ({refusal.strerror}); remedy: {ways}"


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return ""
