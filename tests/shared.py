"""What costs much and several tests need is made by one of the run's processes; the others read it."""

import fcntl
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


def shared(name: str, make: Callable[[], Made]) -> Made:
    """The value of `make()`, which can be pickled: in each run of the suite it is called once for a name.

    A process that asks while another makes it waits.
    """
    folder = Path(os.environ["XDG_CACHE_HOME"], "shared")  # of this run alone: see conftest.py
    folder.mkdir(exist_ok=True)
    with (folder / hashlib.sha256(name.encode()).hexdigest()).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if kept := file.read():
            return pickle.loads(kept)
        value = make()
        file.write(pickle.dumps(value))
        return value
