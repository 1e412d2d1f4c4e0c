"""Where the program `testbed` begins: what has to be set before anything slow is imported."""

import gc
import os
import resource
import signal
import sys
from typing import Final

from testbed.compiled import NEW_OBJECTS

LEAST_OPEN_FILES: Final = 64
"""Below, Python may not even import what says so. A world needs more: `testbed.world.linux`."""


def main() -> None:
    """Run the command line (`testbed.cli.main`).

    Ctrl-C ends this process at once and without a traceback. While a world runs, `testbed.world.enter` takes
    the signals and the run ends in order.
    """
    _have_standard_streams()
    _own_packages_first()
    _may_open_files()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(NEW_OBJECTS)
    from testbed.compiled import kept

    kept.use()
    from testbed.cli.main import main as command_line

    try:
        command_line()
    finally:
        gc.freeze()  # Python looks through all objects three times at its end, for 40 ms: they end with it


def _have_standard_streams() -> None:
    """Replace closed ones (`>&-`), or the first files that are opened would be written to as output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _own_packages_first() -> None:
    """Look in PYTHONPATH last: a file click.py there is the user's own, and not our dependency."""
    given = os.environ.get("PYTHONPATH")
    if given:
        folders = {os.path.abspath(folder) for folder in given.split(os.pathsep)}  # noqa: PTH100
        theirs = [folder for folder in sys.path if os.path.abspath(folder) in folders]  # noqa: PTH100
        sys.path[:] = [folder for folder in sys.path if folder not in theirs]
        sys.path += theirs


def _may_open_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < LEAST_OPEN_FILES:
        needed = f"it needs {LEAST_OPEN_FILES} to start and some hundreds for a world; raise the limit"
        print(f"testbed: only {most} open files are allowed here (ulimit -n); {needed}", file=sys.stderr)
        sys.exit(4)
