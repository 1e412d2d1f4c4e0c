"""Where the program `testbed` begins: with the default answer to Ctrl-C, before anything slow is imported."""

import signal


def main() -> None:
    """Run the command line (`testbed.cli.main`).

    Ctrl-C ends this process at once and without a traceback. While a world runs, `testbed.world.enter` takes
    the signals and the run ends in order.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from testbed.cli.main import main as command_line

    command_line()
