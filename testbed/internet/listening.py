"""Which ports somebody listens on, from /proc, in the caller's network namespace."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from testbed.internet.services.base import Listener

_Name = Literal["tcp", "udp"]
_WAITING = {"tcp": "0A", "udp": "07"}  # states of a socket (net/tcp_states.h): LISTEN; UDP without a peer
_ADDRESS, _STATE, _INODE = 1, 3, 9  # columns of /proc/net/tcp and its like


def listening(session: int | None = None) -> set[Listener]:
    """Transports and ports of all listening sockets, or of those of the processes of one session."""
    owned = None if session is None else _inodes(session)
    return {(name, port) for name, port, inode in _sockets() if owned is None or f"socket:[{inode}]" in owned}


def _sockets() -> Iterator[tuple[_Name, int, str]]:
    for name in get_args(_Name):
        for table in (name, f"{name}6"):
            for line in Path("/proc/self/net", table).read_text("ascii").splitlines()[1:]:
                columns = line.split()
                if columns[_STATE] == _WAITING[name]:
                    yield name, int(columns[_ADDRESS].rpartition(":")[2], 16), columns[_INODE]


def _inodes(session: int) -> set[str]:
    """What the open files of a session's processes link to. Processes may end meanwhile."""
    links = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # pid (name) state ppid pgrp session …: the name may hold anything
            columns = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(columns[3]) == session:
                links |= {os.readlink(entry.path) for entry in os.scandir(process / "fd")}  # noqa: PTH115 (no path)
        except OSError:
            continue
    return links
