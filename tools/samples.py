"""Sample a command of testbed and all processes that it forks: python tools/samples.py FOLDED -- run NAME …

Each process notes its Python stack after every four milliseconds of CPU time that it used (kernels count no
finer), and adds what it saw to the file FOLDED when it ends, "outermost;…;innermost N" in each line, for
tools/flamegraph.py; several runs add up. The frames of a forked process begin with what it does. What ends by
a signal that it does not handle is not seen.
"""

import fcntl
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY = 0.004  # seconds of CPU time
MACHINERY = ("testbed.world.fork", "testbed.world.children")  # that starts a process
_SEEN: Counter[str] = Counter()
_forked: list[FrameType] = []  # in which the process was forked, innermost first


def name_of(frame: FrameType) -> str:
    """As "testbed.world.build:build"; the machinery of imports is named by what it imports."""
    module, function = frame.f_globals.get("__name__", "?"), frame.f_code.co_name
    if function == "<module>":
        return f"{module} (import)"
    return "" if module.startswith("importlib._bootstrap") else f"{module}:{function}"


def stack_of(frame: FrameType | None) -> str:
    """The frames outermost first."""
    names = []
    while frame is not None and frame not in _forked:
        name = name_of(frame)
        if name and not name.startswith(MACHINERY):
            names.append(name)
        frame = frame.f_back
    return ";".join(reversed(names)) or "(a process that starts)"


def _begin() -> None:
    _SEEN.clear()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame not in _forked:
        _forked.append(frame)
        frame = frame.f_back
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)  # not inherited by those who are forked


def _end(folded: Path) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    with folded.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.writelines(f"{stack} {times}\n" for stack, times in _SEEN.items())


def main() -> None:
    """Run the command line, sampled."""
    folded, _, *words = sys.argv[1:]
    place = Path(folded).resolve()
    leave = os._exit

    def leave_sampled(status: int) -> None:
        _end(place)
        leave(status)

    os._exit = leave_sampled  # type: ignore[assignment]
    signal.signal(signal.SIGPROF, lambda _, frame: _SEEN.update([stack_of(frame)]))
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    sys.argv = ["testbed", *words]
    from testbed.cli.start import main as testbed
    from testbed.world import linux

    fork = linux.fork

    def fork_sampled() -> int:
        number = fork()
        if not number:
            _begin()
        return number

    linux.fork = (
        fork_sampled  # not at every fork: a timer stays in a program that is executed, and would end it
    )
    try:
        testbed()
    finally:
        _end(place)


if __name__ == "__main__":
    main()
