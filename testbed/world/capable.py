"""Trying what programs that bring their own rules need, in a network namespace that nobody else uses."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from testbed.model.abilities import ABILITIES, Ability
from testbed.world import linux
from testbed.world.children import call

_SECONDS: Final = 10.0  # for one program; our choice


def lacking(names: Iterable[str]) -> dict[str, str]:
    """Those of `names` that this machine has not, with what was seen. Called in a world, or as root."""
    return {name: why for name in dict.fromkeys(names) if (why := _tried(ABILITIES[name]))}


def tried_here(ability: Ability) -> str:
    """Why it is lacking; "" if it is not. In a network namespace that nobody else uses."""
    if ability.name == "users":
        return "" if _several_users() else "there is one user, who cannot become another"
    if ability.name == "tun":
        return "" if os.access("/dev/net/tun", os.R_OK | os.W_OK) else "it is not there, or not open to you"
    for line in ability.tries:
        if why := _run(line.split(" ")):
            return why
    return ""


def _tried(ability: Ability) -> str:
    def alone() -> str:
        linux.unshare(linux.CLONE_NEWNET)
        return tried_here(ability)

    try:
        return call(alone, name=ability.title) if ability.tries else tried_here(ability)
    except OSError as error:
        return str(error.strerror)


def _several_users() -> bool:
    """Whether this user namespace has users that one can become: user_namespaces(7)."""
    try:
        return Path("/proc/self/setgroups").read_text("ascii").strip() != "deny"
    except OSError:
        return True


def _run(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{argv[0]}: {getattr(error, 'strerror', '') or 'no answer'}"
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return f"{argv[0]}: {said[0] if said else done.returncode}" if done.returncode else ""
