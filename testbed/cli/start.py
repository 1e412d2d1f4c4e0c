"""Where the program `testbed` begins: what has to be set before anything slow is imported."""

import gc
import signal
from typing import Final

NEW_OBJECTS: Final = 200_000
"""How many new objects start a collection of garbage: our choice. Python's 700 cost a tenth of the start-up,
in collections that find nothing, because classes and a scenario are made to stay."""


def main() -> None:
    """Run the command line (`testbed.cli.main`).

    Ctrl-C ends this process at once and without a traceback. While a world runs, `testbed.world.enter` takes
    the signals and the run ends in order.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(NEW_OBJECTS)
    from testbed.cli.main import main as command_line

    command_line()
