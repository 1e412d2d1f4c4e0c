"""The way into a private set of namespaces, in which everything else of a run happens.

Four processes: the *outer* one, which the user started; the *gatekeeper*, which makes the namespaces (making
a PID namespace moves one's children, not oneself); *init*, PID 1 of the new namespace, which does nothing but
collect orphans; and *main*, an ordinary process with ordinary signals, so that nobody takes away the children
it waits for. Each dies with the one before it, and with init the kernel removes all the rest.
"""

import contextlib
import errno
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from testbed.errors import Exit, InvalidRunError, TestbedError, UnsupportedError
from testbed.world import linux, netns

_WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_isolated(main: Callable[[], int]) -> int:
    """Run `main` in new namespaces (mount, network, PID; user too, unless privileged); return its status.

    Inside, the process is root of its own world: nothing but loopback, an own empty /run, an own /proc. When
    this process ends, by whatever means, all of it ends. SIGINT, SIGTERM and SIGHUP become *one*
    KeyboardInterrupt in `main`, whose clean-up no second one disturbs (a terminal's quit key ends everything
    at once); if `main` lets it pass, the status is 128 + signal. Call it from the main thread.

    Errors: UnsupportedError if this machine refuses the namespaces; InvalidRunError if `main` was killed.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the children would write it a second time
    told, telling = os.pipe()
    outer = os.getpid()
    signals = {number for number in _WANTED if signal.getsignal(number) is not signal.SIG_IGN}
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        # Some starters ignore it; then nobody could be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
    try:
        child = linux.fork()
        if child == 0:
            os.close(told)
            _leave(lambda: _gatekeeper(outer, main, telling, signals, before), telling)
        try:
            status = _wait(child, signals, "the process that holds the world", telling)
        except BaseException:  # a caller's own signal handler, such as a test's time limit, gave up waiting
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
    finally:
        os.close(telling)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with os.fdopen(told, encoding="utf-8") as reports:
        kind, _, message = reports.read().partition(":")
    if message:
        raise (UnsupportedError if kind == "unsupported" else InvalidRunError)(message)
    return status


def _gatekeeper(
    outer: int, main: Callable[[], int], telling: int, signals: set[signal.Signals], before: set[int]
) -> int:
    linux.die_with_parent()
    user, group = os.geteuid(), os.getegid()
    privileged = linux.may_administer()
    flags = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWPID
    try:
        linux.unshare(flags if privileged else flags | linux.CLONE_NEWUSER)
        if not privileged:
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    except OSError as refusal:
        raise UnsupportedError(_refused(refusal)) from refusal
    linux.die_with_parent()  # a change of credentials has cleared it
    if os.getppid() != outer:
        return Exit.INVALID
    alive, held = os.pipe()  # a new PID namespace hides the parent's number: init sees its death by this pipe
    child = linux.fork()
    if child == 0:
        os.close(held)
        _leave(lambda: _init(alive, main, telling, signals, before), telling)
    os.close(alive)
    return _wait(child, signals, "the world's first process", telling)


def _init(
    alive: int, main: Callable[[], int], telling: int, signals: set[signal.Signals], before: set[int]
) -> int:
    linux.die_with_parent()
    hung_up = select.poll()
    hung_up.register(alive, 0)
    if hung_up.poll(0):
        return Exit.INVALID
    try:
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("tmpfs", "/run", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    except OSError as refusal:
        raise UnsupportedError(_refused(refusal)) from refusal
    linux.loopback_up()
    netns.mark_world()
    child = linux.fork()
    if child == 0:
        os.close(alive)
        os.close(telling)
        linux.die_with_parent()
        _leave(lambda: _main(main, signals, before))
    return _wait(child, signals, "the run's main process", telling, orphans=True)


def _main(main: Callable[[], int], signals: set[signal.Signals], before: set[int]) -> int:
    caught: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        # A terminal's Ctrl-C comes twice: to the whole group, and passed on by init.
        caught.append(number)
        if len(caught) == 1:
            raise KeyboardInterrupt

    try:
        for number in signals:
            signal.signal(number, interrupt)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return main()
    except KeyboardInterrupt:
        return 128 + (caught[0] if caught else signal.SIGINT)


def _wait(child: int, signals: set[signal.Signals], who: str, telling: int, *, orphans: bool = False) -> int:
    """Pass `signals` on to `child` until it ends, collecting orphans if asked; return its exit status."""
    while True:
        while (ended := os.waitpid(-1 if orphans else child, os.WNOHANG))[0] not in {0, child}:
            pass
        if ended[0] == child:
            break
        arrived = signal.sigwaitinfo(signals | {signal.SIGCHLD}).si_signo
        if arrived != signal.SIGCHLD:
            os.kill(child, arrived)
    status = os.waitstatus_to_exitcode(ended[1])
    if status >= 0:
        return status
    message = f"{who} was killed by {signal.Signals(-status).name}; what was recorded is incomplete"
    os.write(telling, f"invalid:{message}".encode())
    return Exit.INVALID


def _leave(body: Callable[[], int], telling: int = -1) -> NoReturn:
    """End this forked process with the status of `body`: the caller's frames must never run twice."""
    status: int = Exit.INVALID
    try:
        status = body()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            sys.stderr.write(f"{leaving.code}\n")
    except TestbedError as error:
        status = error.exit_status
        if telling >= 0:
            kind = "unsupported" if isinstance(error, UnsupportedError) else "invalid"
            os.write(telling, f"{kind}:{error}".encode())
        else:
            sys.stderr.write(f"{error}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status & 0xFF)


def _refused(refusal: OSError) -> str:
    remedies = [
        f"sudo sysctl -w {name}={wanted}"
        for name, wanted, bad in (
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
