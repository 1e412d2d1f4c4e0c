"""Running any program, unmodified, as a subscriber.

The program keeps its user's terminal, working folder, HOME, standard streams and process group, so that
Ctrl-C and Ctrl-Z mean what they always mean. It sees the vantage's network, resolver and authorities.
"""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from testbed.errors import InvalidRunError
from testbed.vantage.environment import Environment
from testbed.vantage.hiding import HiddenFiles, hide, trust_stores
from testbed.vantage.overlay import lay_over
from testbed.vantage.programs import NOT_EXECUTABLE, ProgramError, find_program
from testbed.vantage.seclusion import seclude
from testbed.world import confine, interrupt
from testbed.world.linux import (
    CLONE_NEWNS,
    MS_NODEV,
    MS_NOSUID,
    detach,
    mount,
    restore_descriptors,
    unshare,
)
from testbed.world.mounts import make_files_read_only
from testbed.world.netns import Namespace, enter, show_nameless_run, show_run_of_host


def run_as(
    namespace: Namespace,
    argv: Sequence[str],
    environment: Environment,
    own: Mapping[str, str] = os.environ,
    meanwhile: Callable[[], float | None] = lambda: None,
    **streams: Any,
) -> int:
    """Run `argv` as the subscriber in `namespace` and wait for it; return its exit status as a shell would.

    128 + n if signal n ended it. Meanwhile Ctrl-C is the program's business (as with system(3)); another
    signal is passed on to it and ends the run (`testbed.world.interrupt.wait_for_command`). `own` is the
    user's environment; `streams` are arguments of `subprocess.Popen`. `meanwhile` is called while the program
    runs, each time after the seconds that it returned.

    Errors: ProgramError if the program cannot be started, InvalidRunError if the vantage cannot be entered;
    RunInterrupted by a signal to the run.
    """
    with interrupt.listening():
        interrupt.check()
        process = spawn_as(namespace, argv, environment, own, **streams)
        ended = os.pidfd_open(process.pid)
        try:
            interrupt.wait_for_command(ended, process.send_signal, meanwhile)
        except BaseException:
            process.terminate()
            raise
        finally:
            os.close(ended)
        return exit_status(process.wait())


def spawn_as(
    namespace: Namespace,
    argv: Sequence[str],
    environment: Environment,
    own: Mapping[str, str] = os.environ,
    **streams: Any,
) -> "subprocess.Popen[Any]":
    """Start `argv` as the subscriber in `namespace`; streams are the caller's unless given in `streams`.

    Errors: ProgramError if the program cannot be started, InvalidRunError if the vantage cannot be entered.
    """
    variables = environment.for_program(own)
    program = find_program(argv[0] if argv else "", variables)
    # What the child could not do: Popen keeps only that it failed.
    with os.fdopen(os.memfd_create("refusal"), "r+b", buffering=0) as refusal:

        def prepare() -> None:
            interrupt.default(heeded)
            restore_descriptors()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            try:
                become_subscriber(namespace, environment)
            except OSError as error:
                refusal.write(str(error).encode("utf-8", "backslashreplace"))
                raise

        heeded = interrupt.heeded()
        # Ctrl-C during the fork is for the program: held back until it has its own answer to it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, interrupt.ENDING)
        try:
            with confine.children_among_commands():
                return _start(program, argv, variables, prepare, streams)
        except subprocess.SubprocessError as error:
            refusal.seek(0)
            why = refusal.read().decode(errors="replace")
            raise InvalidRunError(f"vantage {namespace.name}: {why or 'cannot be entered'}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def become_subscriber(
    namespace: Namespace,
    environment: Environment,
    *,
    nameless: bool = False,
    read_only: bool = False,
    hidden: HiddenFiles | None = None,
) -> None:
    """Move this process into the vantage for good: its network, and its files over the machine's own.

    It has no rights in the world afterwards: see `testbed.world.confine.step_down`. `nameless`: no file and
    no mount that it can see has the name of a vantage or another host. `read_only`: it can write to /dev and
    /run, which are the world's, and to what it mounts itself. `hidden`: files of the machine's that are not
    there for it, but for the trust stores.
    """
    enter(namespace)
    unshare(CLONE_NEWNS)
    if nameless:
        _lay_over_nameless(namespace, environment)
    else:
        show_run_of_host(namespace.name)
        lay_over(environment.tree, environment.scratch)
    if hidden:
        hide(hidden, trust_stores(environment.variables))
    if environment.secluded:
        seclude(environment.secluded, environment.tree.parent)
    elif read_only:
        make_files_read_only()  # and locked: another user namespace than the command's has done it
    confine.step_down()


def _lay_over_nameless(namespace: Namespace, environment: Environment) -> None:
    """The same from a copy in memory: a list of mounts has the folder from which a file is mounted."""
    confine.gate()  # while the world's /run is there
    scratch = str(environment.scratch)
    show_nameless_run(namespace.name, environment.scratch)
    mount("none", scratch, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    tree, space = environment.scratch / "files", environment.scratch / "space"
    space.mkdir()
    hosts = str(environment.tree / "etc")  # `ip netns exec HOST` has files of each host
    shutil.copytree(environment.tree, tree, ignore=lambda at, _: ["netns"] if at == hosts else [])
    lay_over(tree, space)
    detach(scratch)


def _start(
    program: str, argv: Sequence[str], variables: Mapping[str, str], prepare: Any, streams: Mapping[str, Any]
) -> "subprocess.Popen[Any]":
    def start(executable: str, arguments: Sequence[str]) -> "subprocess.Popen[Any]":
        return subprocess.Popen(
            arguments,
            executable=executable,
            env=variables,
            preexec_fn=prepare,  # noqa: PLW1509 (it takes no lock that another thread may hold)
            **streams,
        )

    try:
        return start(program, argv)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without its #! line: every shell runs it as its own
            return start("/bin/sh", ["sh", program, *argv[1:]])
        reason = "its interpreter is missing" if error.errno == errno.ENOENT else error.strerror
        raise ProgramError(NOT_EXECUTABLE, f"{argv[0]}: cannot be executed: {reason}") from error


def exit_status(returncode: int) -> int:
    """A `Popen.returncode` as a shell gives it: 128 + n after signal n."""
    return 128 - returncode if returncode < 0 else returncode
