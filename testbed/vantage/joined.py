"""Running a program as a subscriber of a world that another process holds.

The program keeps the terminal, the process group and the working folder of the process that calls
`run_joined`, and with them its job control. A caller with threads starts this file as a program of its own
instead (`helper`).
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":  # started without site-packages: nothing but the standard library is needed
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed.errors import Exit, InputError, InvalidRunError, TestbedError
from testbed.vantage.environment import Environment
from testbed.vantage.hiding import HiddenFiles
from testbed.vantage.programs import NOT_EXECUTABLE, ProgramError, find_program
from testbed.vantage.seclusion import Seclusion, limit
from testbed.vantage.subscriber import become_subscriber
from testbed.world.join import FirstProcess
from testbed.world.netns import Namespace

_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; a program must not inherit that


@dataclass(frozen=True, slots=True)
class Joined:
    """A vantage of a held world, as its keeper describes it."""

    vantage: str
    pid: int  # see `testbed.world.join.FirstProcess`
    began: int
    tree: str  # see `testbed.vantage.environment.Environment`
    scratch: str
    variables: Mapping[str, str]
    pod: str = ""  # id of the container that owns the vantage's network, if containers can join it
    nameless: bool = False  # nothing that the program sees names a vantage or another host
    read_only: bool = False  # the program cannot change the machine's files
    hidden: str = ""  # `testbed.vantage.hiding.HiddenFiles` as text
    secluded: str = ""  # `testbed.vantage.seclusion.Seclusion` as text; "": it sees the files of its user

    @property
    def environment(self) -> Environment:
        """The subscriber's files and variables."""
        return Environment(Path(self.tree), Path(self.scratch), self.variables, self.seclusion)

    @property
    def seclusion(self) -> Seclusion | None:
        """What of the machine's files the program may see."""
        return Seclusion.from_text(self.secluded) if self.secluded else None


def run_joined(place: Joined, argv: Sequence[str], own: Mapping[str, str] = os.environ) -> int:
    """Run `argv` as the subscriber and wait for it; its exit status as a shell gives it.

    A signal to this process alone is passed on to the program. Call it in a process without other threads.

    Errors: ProgramError if the program cannot be started; InputError if the world lacks the working folder;
    InvalidRunError if the world cannot be entered, or ended meanwhile.
    """
    here = Path.cwd()
    os.chdir("/")  # which every world has
    try:
        return FirstProcess(place.pid, place.began).join(partial(_become, place, argv, own, here))
    finally:
        with suppress(OSError):  # it may have been removed meanwhile
            os.chdir(here)


def _become(place: Joined, argv: Sequence[str], own: Mapping[str, str], here: Path) -> NoReturn:
    """Become the program, in the world."""
    try:
        os.chdir(here)
    except OSError as error:
        message = f"{here}: {error.strerror} in the world, whose /run is its own"
        raise InputError.at("", message, "run the command from another folder") from error
    variables = place.environment.for_program(own)
    program = find_program(argv[0] if argv else "", variables)
    try:
        become_subscriber(
            Namespace.open(place.vantage),
            place.environment,
            nameless=place.nameless,
            read_only=place.read_only,
            hidden=HiddenFiles.from_text(place.hidden),
        )
    except OSError as error:
        raise InvalidRunError(f"vantage {place.vantage}: {error}") from error
    for number in _RESTORED:
        signal.signal(number, signal.SIG_DFL)
    if place.seclusion:
        limit(place.seclusion)
    try:
        os.execve(program, list(argv), variables)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without its #! line: every shell runs it as its own
            os.execve("/bin/sh", ["sh", program, *argv[1:]], variables)
        reason = "its interpreter is missing" if error.errno == errno.ENOENT else error.strerror
        raise ProgramError(NOT_EXECUTABLE, f"{argv[0]}: cannot be executed: {reason}") from error


def call_joined(place: Joined, function: Callable[[], object], own: Mapping[str, str] = os.environ) -> Any:
    """Call `function` as the subscriber, in a forked process; what it returns, or what it raises.

    Call it in a process without other threads: it forks. What is returned or raised must pickle.

    Errors: InvalidRunError if the world cannot be entered, or if the process ended without an answer.
    """
    answer = os.memfd_create("answer")
    here = Path.cwd()
    os.chdir("/")  # which every world has
    try:
        status = FirstProcess(place.pid, place.began).join(
            partial(_answer, place, function, own, here, answer)
        )
        os.lseek(answer, 0, os.SEEK_SET)
        with os.fdopen(os.dup(answer), "rb") as file:
            text = file.read()
    finally:
        os.close(answer)
        with suppress(OSError):
            os.chdir(here)
    if not text:
        raise InvalidRunError(f"the function ended its process with status {status} and no answer")
    import pickle  # the helper, which needs a quick start, does without

    fine, value = pickle.loads(text)
    if fine:
        return value
    raise value


def _answer(
    place: Joined, function: Callable[[], object], own: Mapping[str, str], here: Path, answer: int
) -> int:
    """Become the subscriber, call, and leave the answer in the file."""
    import pickle
    import traceback

    with suppress(OSError):
        os.chdir(here)
    variables = place.environment.for_program(own)
    become_subscriber(Namespace.open(place.vantage), place.environment)
    os.environ.clear()
    os.environ.update(variables)
    try:
        made: tuple[bool, object] = (True, function())
    except Exception as error:
        made = (False, error)
    try:
        text = pickle.dumps(made)
        pickle.loads(text)
    except Exception:
        words = (
            "".join(traceback.format_exception(made[1])) if isinstance(made[1], Exception) else repr(made[1])
        )
        text = pickle.dumps((False, InvalidRunError(f"what the function gave cannot be passed on: {words}")))
    with os.fdopen(os.dup(answer), "wb") as file:
        file.write(text)
    return 0


def helper(place: Joined, refusal: int, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a process of its own; a failure is written to the file `refusal`.

    Its process must inherit `refusal`, a new file: the place is in it to begin with, because other commands
    of the world can read a process's arguments.
    """
    os.write(refusal, json.dumps(asdict(place)).encode())
    return [sys.executable, "-I", "-S", __file__, str(refusal), *argv]


def refused(text: str) -> TestbedError | None:
    """What the helper wrote, as an error."""
    if not text:
        return None
    described: dict[str, Any] = json.loads(text)
    if "status" not in described:
        return None  # it was ended before it had read where to go
    if described["status"] == Exit.INVALID:
        return InvalidRunError(described["message"])
    return InputError.at("", described["message"])


def _main() -> int:
    refusal = int(sys.argv[1])
    described = json.loads(os.pread(refusal, os.fstat(refusal).st_size, 0))
    os.truncate(refusal, 0)
    os.lseek(refusal, 0, os.SEEK_SET)
    try:
        return run_joined(Joined(**described), sys.argv[2:])
    except TestbedError as error:
        answer = {"status": error.exit_status, "message": str(error)}
        os.write(refusal, json.dumps(answer).encode())
        return Exit.INVALID


if __name__ == "__main__":
    sys.exit(_main())
