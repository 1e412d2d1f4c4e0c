"""An interactive shell whose prompt names operator, scenario and phase."""

import os
import shlex
from pathlib import Path


def shell_argv(scenario: str, phase: str, vantage: str, folder: Path, shell: str | None = None) -> list[str]:
    """The command line of an interactive shell: the user's own (`shell`, by default $SHELL), or bash.

    Its prompt reads "[mts · twitter-throttling-2021/substring] ~ $". bash's start-up file goes into `folder`.
    zsh and fish set their prompt in files of their own: there, only the variable TESTBED_PLACE says it.
    """
    place = f"{vantage} · {scenario}/{phase}"
    shell = shell or os.environ.get("SHELL") or "bash"
    if Path(shell).name != "bash":
        return ["env", f"TESTBED_PLACE={place}", f"PS1=[{place}] $ ", shell, "-i"]
    start = folder / "bashrc"
    # The prompt comes last, after the user's own; PROMPT_COMMAND would overwrite it each time.
    start.write_text(
        "[ -r ~/.bashrc ] && . ~/.bashrc\n"
        "unset PROMPT_COMMAND\n"
        f"export TESTBED_PLACE={shlex.quote(place)}\n"
        "PS1='[$TESTBED_PLACE] \\w $ '\n"
    )
    return [shell, "--rcfile", str(start), "-i"]
