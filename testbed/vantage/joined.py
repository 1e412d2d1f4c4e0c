"""Running a program as a subscriber of a world that another process holds.

`run_joined` moves the calling process into the world for good, so that the program keeps its terminal, its
process group and its job control. A caller that goes on outside starts this file as a program of its own: it
takes a `Joined` as JSON and the command's words.
"""

import errno
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":  # started without site-packages: nothing but the standard library is needed
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed.errors import Exit, InvalidRunError
from testbed.vantage.environment import Environment
from testbed.vantage.programs import NOT_EXECUTABLE, ProgramError, find_program
from testbed.vantage.subscriber import become_subscriber, exit_status
from testbed.world import linux
from testbed.world.join import join
from testbed.world.netns import Namespace

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BY_KERNEL = 0x80  # SI_KERNEL, asm-generic/siginfo.h: a terminal's, which the program has got as well
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; a program must not inherit that


@dataclass(frozen=True, slots=True)
class Joined:
    """A vantage of a held world, as its keeper describes it."""

    vantage: str
    namespaces: Sequence[int]  # open files, of `testbed.world.join.own_namespaces`
    tree: str  # see `testbed.vantage.environment.Environment`
    scratch: str
    variables: Mapping[str, str]

    @property
    def environment(self) -> Environment:
        """The subscriber's files and variables."""
        return Environment(Path(self.tree), Path(self.scratch), self.variables)


def run_joined(place: Joined, argv: Sequence[str], own: Mapping[str, str] = os.environ) -> int:
    """Run `argv` as the subscriber and wait for it; its exit status as a shell gives it.

    Call it in a process without other threads: it stays in the world. SIGINT, SIGTERM and SIGHUP sent to this
    process alone are passed on to the program. Streams, process group and working folder are this process's.

    Errors: ProgramError if the program cannot be started, InvalidRunError if the world cannot be entered.
    """
    try:
        join(place.namespaces)
    except OSError as error:
        raise InvalidRunError(f"the world cannot be entered: {error}") from error
    variables = place.environment.for_program(own)
    program = find_program(argv[0] if argv else "", variables)
    watched = {*_PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child, failed = _fork(lambda: _become(place, program, argv, variables, before))
        if failed:
            os.waitpid(child, 0)
            raise _error(json.loads(failed))
        return exit_status(_wait(child, watched))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(body: Callable[[], NoReturn]) -> tuple[int, bytes]:
    """A child that dies with this process; what it wrote instead of becoming a program."""
    reading, writing = os.pipe()  # both ends are closed by exec
    alive, held = os.pipe()
    child = linux.fork()
    if child == 0:
        try:
            linux.die_with_parent()
            os.close(held)
            gone = select.poll()
            gone.register(alive, 0)
            if gone.poll(0):  # in another PID namespace the parent has no number to compare
                os._exit(Exit.INVALID)
            body()
        except BaseException as error:
            os.write(writing, json.dumps(_described(error)).encode())
        finally:
            os._exit(Exit.INVALID)
    os.close(writing)
    os.close(alive)
    with os.fdopen(reading, "rb") as report:
        return child, report.read()


def _become(
    place: Joined, program: str, argv: Sequence[str], variables: Mapping[str, str], mask: set[int]
) -> NoReturn:
    become_subscriber(Namespace.open(place.vantage), place.environment)
    for number in _RESTORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execve(program, list(argv), variables)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without its #! line: every shell runs it as its own
            os.execve("/bin/sh", ["sh", program, *argv[1:]], variables)
        reason = "its interpreter is missing" if error.errno == errno.ENOENT else error.strerror
        raise ProgramError(NOT_EXECUTABLE, f"{argv[0]}: cannot be executed: {reason}") from error


def _wait(child: int, watched: set[signal.Signals]) -> int:
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        arrived = signal.sigwaitinfo(watched)
        if arrived.si_signo != signal.SIGCHLD and arrived.si_code != _BY_KERNEL:
            os.kill(child, arrived.si_signo)


def _described(error: BaseException) -> dict[str, Any]:
    return {"status": error.status if isinstance(error, ProgramError) else None, "message": str(error)}


def _error(described: Mapping[str, Any]) -> ProgramError | InvalidRunError:
    if described["status"] is None:
        return InvalidRunError(f"the vantage cannot be entered: {described['message']}")
    return ProgramError(described["status"], described["message"])


def helper(place: Joined, refusal: int, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a process of its own; a failure is written to `refusal`.

    Its process must inherit the files `refusal` and `place.namespaces`.
    """
    described = json.dumps({**asdict(place), "refusal": refusal})
    return [sys.executable, "-I", "-S", __file__, described, *argv]


def refused(text: str) -> ProgramError | InvalidRunError | None:
    """What the helper wrote, as an error."""
    return _error(json.loads(text)) if text else None


def _main() -> int:
    described = json.loads(sys.argv[1])
    refusal = described.pop("refusal")
    try:
        return run_joined(Joined(**described), sys.argv[2:])
    except (ProgramError, InvalidRunError) as error:
        os.write(refusal, json.dumps(_described(error)).encode())
        return Exit.INVALID


if __name__ == "__main__":
    sys.exit(_main())
