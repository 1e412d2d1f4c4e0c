"""The command `testbed`: finds the subcommand, and turns every ending into an exit status.

A subcommand is a module of this package that exports `command`, and only the chosen one is imported:
completion and `--version` must feel instant. A command returns its exit status, or None for 0.
"""

import errno
import importlib
import os
import resource
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem, shell_complete

from testbed import __version__
from testbed.errors import Exit, TestbedError, nearest, printable

PROGRAM = "testbed"
COMPLETION_VARIABLE = "_TESTBED_COMPLETE"  # click's convention
_NO_MEMORY = "out of memory; raise the limit (ulimit -v), or use a machine with more"
_NO_MEMORY_LINE = f"{PROGRAM}: {_NO_MEMORY}\n".encode()  # made while there is some
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_KERNELS = ("/proc/", "/sys/", "/dev/")  # no user names a file there: who cannot use one has found our bug


class Entry(NamedTuple):
    """Where a subcommand is, and what help and completion say of it without importing it."""

    module: str
    help: str
    task: str  # the heading of `testbed --help` under which it is listed


LOOK, RUN, JUDGE, EXPLAIN, TEACH, SET_UP = "Look", "Run", "Judge", "Explain", "Teach", "Set up"

COMMANDS = {
    "list": Entry("testbed.cli.list_", "Scenarios of the library.", LOOK),
    "show": Entry("testbed.cli.show", "One scenario: world, phases, rules, expectations, sources.", LOOK),
    "truth": Entry("testbed.cli.truth", "What must be seen, and why.", LOOK),
    "run": Entry("testbed.cli.run", "Build a scenario and measure it, or run a command in it.", RUN),
    "shell": Entry("testbed.cli.shell", "An interactive shell as a subscriber.", RUN),
    "up": Entry("testbed.cli.up", "Build a scenario and hold it open.", RUN),
    "exec": Entry("testbed.cli.exec_", "Run a command in a world that is held open.", RUN),
    "probe": Entry("testbed.cli.probe", "Look at a site with every instrument, from a vantage.", RUN),
    "phase": Entry("testbed.cli.phase", "Switch a held world to another phase.", RUN),
    "worlds": Entry("testbed.cli.worlds", "The worlds that are held open.", RUN),
    "console": Entry("testbed.cli.console", "A web page over a held world, for one browser here.", RUN),
    "down": Entry("testbed.cli.down", "End a held world; what its filters did, by phase.", RUN),
    "evaluate": Entry("testbed.cli.evaluate", "Run a detector over scenarios and score it.", JUDGE),
    "score": Entry("testbed.cli.score", "How often a detector was right.", JUDGE),
    "verify": Entry("testbed.cli.verify", "Show that rules, expectations and what is seen agree.", JUDGE),
    "monitor": Entry(
        "testbed.cli.monitor", "Watch every operator and target over a scenario's dates, and draw it.", JUDGE
    ),
    "matrix": Entry("testbed.cli.matrix", "Which tool gets through which box, and what decided it.", JUDGE),
    "dataset": Entry("testbed.cli.dataset", "Labelled flows for classifiers.", JUDGE),
    "sweep": Entry("testbed.cli.sweep", "Every combination that a file names, as runs.", JUDGE),
    "check": Entry("testbed.cli.check", "Validate scenario files.", JUDGE),
    "conformance": Entry(
        "testbed.cli.conformance", "Whether the censors do on the wire what was measured.", JUDGE
    ),
    "bench": Entry("testbed.cli.bench", "Measure the budgets, each with its baseline beside it.", JUDGE),
    "explain": Entry(
        "testbed.cli.explain", "What happened to a flow of a run, and how that is known.", EXPLAIN
    ),
    "diff": Entry(
        "testbed.cli.diff", "Which verdicts of two runs differ, and where their flows part.", EXPLAIN
    ),
    "report": Entry("testbed.cli.report", "One page of runs, scores, matrices; works offline.", EXPLAIN),
    "ladder": Entry("testbed.cli.ladder", "Draw what a censor did to each packet of a flow.", EXPLAIN),
    "replay": Entry("testbed.cli.replay", "What a censor would do to the packets of a capture.", EXPLAIN),
    "lab": Entry("testbed.cli.lab", "Teaching labs: start, check, hint, submit, grade.", TEACH),
    "doctor": Entry("testbed.cli.doctor", "What this machine can do, and how to get the rest.", SET_UP),
    "compile": Entry("testbed.cli.compile_", "Compile the core, which then takes half the time.", SET_UP),
    "completion": Entry("testbed.cli.completion", "Print the completion script for a shell.", SET_UP),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and one line of help, and imports only the chosen one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every subcommand, in the order of a person's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name].module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments ask for, or suggest the nearest."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no such command '{name}'; {nearest(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by task, without importing them."""
        for task in dict.fromkeys(entry.task for entry in COMMANDS.values()):
            with formatter.section(task):
                rows = [(name, entry.help) for name, entry in COMMANDS.items() if entry.task == task]
                formatter.write_dl(rows, col_max=max(map(len, COMMANDS)))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing them, and the group's own options."""
        names = [CompletionItem(n, help=e.help) for n, e in COMMANDS.items() if n.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


_EXAMPLES = """\b
Examples:
  testbed list
  testbed run twitter-throttling-2021
  testbed run twitter-throttling-2021 --vantage mts -- curl https://twitter.com/
  testbed up twitter-throttling-2021 --detach
  testbed exec --vantage mts -- curl https://twitter.com/
  testbed down twitter-throttling-2021
"""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXAMPLES)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def testbed() -> None:
    """A Russian Internet on one Linux machine: operators, sites and censorship for testing.

    Exit status: 0 as expected, 1 not as expected (or the command's own), 2 wrong input, 3 the run is
    invalid, 4 this machine lacks a feature (see `testbed doctor`).
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the exit status that `testbed.errors` names."""
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        sys.exit(shell_complete(testbed, {}, PROGRAM, COMPLETION_VARIABLE, instruction))
    try:
        status = _status(sys.argv[1:] if args is None else args)
        status = _flushed(status)
    except BrokenPipeError:
        # The reader went away (`testbed list | head -1`); the flush at exit would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 128 + 13
    except (MemoryError, SystemError) as error:  # none was left even to say so
        if not _without_memory(error):
            raise
        os.write(2, _NO_MEMORY_LINE)
        os._exit(Exit.UNSUPPORTED)
    sys.exit(status)


def _flushed(status: int) -> int:
    """The status after the output was written, or that of an output with no room (/dev/full)."""
    try:
        sys.stdout.flush()
    except OSError as error:
        refused = _refused(error)
        if refused is None:
            raise
        return refused
    return status


def _status(args: Sequence[str]) -> int:
    """Run the command; its exit status. Every failure has been reported on stderr when this returns."""
    try:
        # Not click's own main(): it would end a broken pipe with the status of "not as expected".
        with testbed.make_context(PROGRAM, list(args)) as context:
            result = testbed.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)  # closes the line in which the terminal shows ^C
        return 128 + 2
    except TestbedError as error:
        _say(str(error).splitlines() or [type(error).__name__])
        return error.exit_status
    except BrokenPipeError:
        raise
    except (OSError, MemoryError, SystemError, ImportError) as error:
        refused = _refused(error)
        return _escaped(error) if refused is None else refused
    except SystemExit as leaving:
        if not _blamed(leaving):
            raise
        return Exit.INPUT
    except Exception as error:  # what escapes and is no plug-in's is our bug, which has an exit status too
        return _escaped(error)
    return result if isinstance(result, int) else Exit.OK


def _refused(error: Exception) -> int | None:
    """Say what this machine has no more of or refuses this user; the exit status, or None for a bug."""
    found = _refusal(error)
    if found is None:
        return None
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what Python still holds would be refused once more
    _say([found[0]])
    return found[1]


def _refusal(error: Exception) -> tuple[str, int] | None:
    """What this machine has no more of or refuses this user, and the exit status; None for a bug."""
    number = errno.ENOMEM if _without_memory(error) else getattr(error, "errno", None)
    place = getattr(error, "filename", None)
    if number in _REFUSED and isinstance(place, str) and not place.startswith(_KERNELS):
        return f"{place}: {os.strerror(number)}; name another, or have access to it", Exit.INPUT
    if number in _FULL:
        where = getattr(error, "filename", None) or "standard output"
        return f"{os.strerror(number)} at {where}; make room there, or name another folder", Exit.INVALID
    if number in (errno.EMFILE, errno.ENFILE):
        return "too many open files; raise the limit (ulimit -n)", Exit.UNSUPPORTED
    if number == errno.ENOMEM:
        return _NO_MEMORY, Exit.UNSUPPORTED
    return None


def _without_memory(error: Exception) -> bool:
    """Whether memory ran out: below a limit some C code forgets to say it, and a library cannot be mapped."""
    if isinstance(error, SystemError):
        return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    mapped = isinstance(error, ImportError) and "failed to map segment" in str(error)
    return mapped or isinstance(error, MemoryError)


def _blamed(error: BaseException) -> bool:
    """Whether a scenario's own Python file raised it; then that is said."""
    plugins = sys.modules.get("testbed.scenario.plugin")  # not loaded: then no plug-in was, either
    found = plugins.blamed(error) if plugins else None
    if found is not None:
        _say(str(found).splitlines())
    return found is not None


def _escaped(error: BaseException) -> int:
    """Say whose fault it is that this was raised, a plug-in's or ours; the exit status."""
    if _blamed(error):
        return Exit.INPUT
    traceback.print_exc()
    _say(["this is a bug in testbed, and the run is invalid; please report it with the lines above"])
    return Exit.INVALID


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"{PROGRAM}: {printable(line)}", err=True)
