"""Whether this process is a subscriber of a world: for programs of ours that must not run anywhere else."""

from pathlib import Path
from typing import Final

from testbed.errors import InputError
from testbed.world.netns import EVERYWHERE

_HOSTS: Final = Path("/run/netns")  # of a world, as a command in it sees them
_REMEDY: Final = "testbed run NAME --vantage V -- testbed …, or testbed exec --vantage V -- testbed …"


def in_world(hosts: Path = _HOSTS) -> bool:
    """Whether this process's network is a host's of a world."""
    try:
        own = Path("/proc/self/ns/net").stat().st_ino
        known = {one.name: one.stat().st_ino for one in hosts.iterdir()}
    except OSError:
        return False
    return own in known.values() and all(name in known for name in EVERYWHERE)


def require_world() -> None:
    """InputError unless this process is in a world: what follows must not reach a real network."""
    if not in_world():
        raise InputError.at("", "this command measures from a vantage, and this is none", _REMEDY)
