"""The command line as a process: exit statuses, messages, completion, start-up."""

import errno
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest

from testbed.cli import main as cli
from testbed.errors import Exit, InputError, UnsupportedError
from tests.inprocess import CommandDone, run_here

PROGRAM = [sys.executable, "-P", "-c", "from testbed.cli.main import main; main()"]


def testbed(*args, **env):
    return subprocess.run(
        [*PROGRAM, *args], capture_output=True, text=True, timeout=30, check=False, env=os.environ | env
    )


testbed.__test__ = False


@cache
def help_of(name: str) -> CommandDone:
    return run_here(name, "--help", cwd=Path.cwd())


@pytest.fixture
def ending(monkeypatch):
    """Run the command line with a command that ends in a given way; its exit status."""

    def end(callback):
        entry = click.Command("list", callback=callback)
        monkeypatch.setattr(cli.LazyGroup, "get_command", lambda self, ctx, name: entry)
        with pytest.raises(SystemExit) as leaving:
            cli.main(["list"])
        return leaving.value.code

    return end


def raising(error):
    def callback():
        raise error

    return callback


def test_version_loads_no_heavy_package():
    """How long it takes is a figure of `make bench`."""
    code = """
import sys
from click.testing import CliRunner
from testbed.cli.main import testbed
CliRunner().invoke(testbed, ["--version"], catch_exceptions=False)
heavy = {"asyncio", "cryptography", "dns", "pydantic", "pyroute2", "rich", "yaml", "scapy"}
print(*sorted(heavy & {*sys.modules}))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_command_is_imported_only_when_it_is_chosen():
    code = """
import sys
from click.testing import CliRunner
from testbed.cli.main import COMMANDS, testbed
CliRunner().invoke(testbed, ["--help"], catch_exceptions=False)
CliRunner().invoke(testbed, ["doctor", "--help"], catch_exceptions=False)
print(*[entry.module for entry in COMMANDS.values() if entry.module in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["testbed.cli.doctor"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_has_help(name):
    done = help_of(name)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(f"Usage: testbed {name}")


def test_a_process_prints_the_same_help_and_ends_with_0():
    done = testbed("run", "--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, help_of("run").stdout.decode(), "")


def test_help_has_the_commands_by_task_and_the_examples_line_by_line():
    lines = testbed("--help").stdout.splitlines()
    headings = [line for line in lines if line in ("Look:", "Run:", "Judge:", "Explain:", "Set up:")]
    assert headings == ["Look:", "Run:", "Judge:", "Explain:", "Set up:"]
    listed = [name for name in cli.COMMANDS if any(line.startswith(f"  {name} ") for line in lines)]
    assert listed == list(cli.COMMANDS)
    assert "    testbed exec --vantage mts -- curl https://twitter.com/" in lines


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_no_help_shows_a_backslash_or_folds_an_example(name):
    lines = help_of(name).stdout.decode().splitlines()
    assert [line for line in lines if "\\" in line or "\b" in line] == []
    assert [line for line in lines if line.count("testbed ") > 1 and "&&" not in line] == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rnu"], "no such command 'rnu'; did you mean 'run'?"),
        (["zzzz"], "no such command 'zzzz'; there are: bench, check"),
        (["--no-such-option"], "No such option"),
        (["doctor", "--no-such-option"], "No such option"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
        (
            ["run", "free-network", "--"],
            "there is no command after '--'; name a program",
        ),
        (["run", "free-network", "--timeout", "nan"], "timeout: nan is out of range; give 0.2 to 60"),
        (["exec", "--"], "there is no command after '--'; name a program after '--'"),
        (["run", "free-network", "--", ""], "the program's name after '--' is empty"),
        (["exec", "--", " ", "x"], "the program's name after '--' is empty"),
        (["ladder", "free-network"], "name targets (https://twitter.com/), or a command after '--'"),
        (["ladder", "free-network", "https://x/", "--", "curl"], "name targets (https://twitter.com/), or a"),
        (["ladder", "free-network", "--"], "there is no command after '--'"),
        (["exec"], "no command is given; name a program after '--'"),
        (["phase"], "give a world and a phase"),
    ],
)
def test_wrong_input_is_2_with_one_message(args, said, tmp_path):
    done = run_here(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (Exit.INPUT, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_process_with_wrong_input_ends_with_2():
    done = testbed("rnu")
    assert (done.returncode, done.stdout) == (Exit.INPUT, "")
    assert "no such command 'rnu'; did you mean 'run'?" in done.stderr


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            InputError.at("x.yaml:3", "unknown key 'snl'", "did you mean 'sni'?"),
            2,
            "testbed: x.yaml:3: unknown key",
        ),
        (UnsupportedError("this machine lacks veth links"), 4, "testbed: this machine lacks veth links\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x"),
            3,
            "No space left on device at runs/x; make room",
        ),
    ],
)
def test_a_known_ending_has_its_status_and_no_traceback(ending, capsys, error, status, said):
    assert ending(raising(error)) == status
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("error", [ValueError("boom"), OSError(errno.EIO, "boom")])
def test_a_bug_is_3_with_its_traceback(ending, capsys, error):
    assert ending(raising(error)) == Exit.INVALID
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert "boom" in printed
    assert "bug in testbed" in printed


@pytest.mark.parametrize(("result", "status"), [(None, 0), (0, 0), (1, 1), (Exit.INVALID, 3)])
def test_a_command_returns_its_status(ending, result, status):
    assert ending(lambda: result) == status


def test_a_command_may_also_leave_by_its_context(ending):
    assert ending(lambda: click.get_current_context().exit(7)) == 7
    assert ending(lambda: sys.exit(9)) == 9


def test_a_reader_that_goes_away_is_no_news():
    done = subprocess.run(
        ["bash", "-c", '"$@" --help | true; exit ${PIPESTATUS[0]}', "bash", *PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # it may have finished before the reader left


def test_a_broken_pipe_is_quiet(ending, capfd):
    saved = os.dup(1)
    try:
        assert ending(raising(BrokenPipeError())) == 141
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_variable(shell):
    assert f"_TESTBED_COMPLETE={shell}_complete" in testbed("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "number", "completions"),
    [
        ("testbed sh", "1", ["plain,show", "plain,shell"]),
        ("testbed completion z", "2", ["plain,zsh"]),
        ("testbed --ver", "1", ["plain,--version"]),
    ],
)
def test_words_are_completed(words, number, completions):
    done = testbed(_TESTBED_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=number)
    assert done.stdout.split() == completions
