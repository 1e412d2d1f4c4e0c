"""An interactive shell whose prompt names operator, scenario and phase."""

import os
import shlex
import shutil
from pathlib import Path


def shell_argv(scenario: str, phase: str, vantage: str, folder: Path, shell: str | None = None) -> list[str]:
    """The command line of an interactive shell: the user's own (`shell`, by default $SHELL), or bash.

    Its prompt reads "[mts · twitter-throttling-2021/substring] ~ $". bash's start-up file goes into `folder`.
    zsh and fish set their prompt in files of their own: there, only the variable TESTBED_PLACE says it.
    dash runs without job control: at its end it would return the terminal to a process group that it cannot
    see from inside, and fail.
    """
    place = f"{vantage} · {scenario}/{phase}"
    shell = shell or os.environ.get("SHELL") or "bash"
    if Path(shell).name != "bash":
        options = (
            ["-i", "+m"] if Path(os.path.realpath(shutil.which(shell) or shell)).name == "dash" else ["-i"]
        )
        return ["env", f"TESTBED_PLACE={place}", f"PS1=[{place}] $ ", shell, *options]
    start = folder / "bashrc"
    # The prompt comes last, after the user's own; PROMPT_COMMAND would overwrite it each time.
    start.write_text(
        "[ -r ~/.bashrc ] && . ~/.bashrc\n"
        "unset PROMPT_COMMAND\n"
        f"export TESTBED_PLACE={shlex.quote(place)}\n"
        "PS1='[$TESTBED_PLACE] \\w $ '\n"
    )
    return [shell, "--rcfile", str(start), "-i"]
