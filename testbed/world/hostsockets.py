"""Closing the machine's Unix sockets to a world.

The kernel finds a socket by its file, in whatever network namespace the two ends are (only abstract names
belong to one). /run, where services have theirs, is the world's own. Elsewhere lie those of programs: tmux,
ssh's shared connections and agents, X, databases. Each is covered by a mount.
"""

import errno
import os
import socket
import stat
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed.world.linux import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount
from testbed.world.mounts import CLOSED

# linux/sock_diag.h, linux/unix_diag.h, linux/netlink.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SHOW_NAME, _SHOW_FILE = 1, 2
_NAME, _FILE = 0, 1  # attributes
_HEADER, _ANSWER = 16, 16  # octets of struct nlmsghdr and struct unix_diag_msg
# States of a socket that one can connect or send to: LISTEN; of datagrams CLOSE and, once anybody has ever
# connected to it, ESTABLISHED (unix_dgram_connect sets the state of both ends).
_WAITING = 1 << 10 | 1 << 7 | 1 << 1


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A socket that has a file."""

    path: str  # as the program gave it: absolute or not
    inode: int  # of the file, its lower 32 bits


def bound() -> list[BoundSocket]:
    """The sockets with a file, of the caller's network namespace; none where the kernel lacks unix_diag."""
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _WAITING, 0, _SHOW_NAME | _SHOW_FILE, 0, 0)
    header = struct.pack(
        "=IHHII", _HEADER + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0
    )
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.send(header + request)
            return list(_answers(kernel))
    except OSError:
        return []


def _answers(kernel: socket.socket) -> Iterator[BoundSocket]:
    while True:
        data = kernel.recv(1 << 20)
        while len(data) >= _HEADER:
            length, kind = struct.unpack_from("=IH", data)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                return
            yield from _read(data[_HEADER + _ANSWER : length])
            data = data[length + 3 & ~3 :]


def _read(attributes: bytes) -> Iterator[BoundSocket]:
    found = {}
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        found[kind] = attributes[4:length]
        attributes = attributes[length + 3 & ~3 :]
    name = found.get(_NAME, b"")
    if _FILE in found and name and name[0]:
        inode, _ = struct.unpack("=II", found[_FILE])
        yield BoundSocket(os.fsdecode(name.rstrip(b"\0")), inode)


def cover_all(known: Collection[BoundSocket]) -> None:
    """Cover every socket that answers, in the folders of `known` and in those that all programs use.

    Call it before any program runs that belongs to the world: its sockets would be covered, too.
    """
    for folder in _folders(known) | set(_common_folders()):
        _cover(folder, None)
    for one in known:  # in a folder that may be entered but not listed
        _cover_file(one.path)


def cover_known(known: Collection[BoundSocket]) -> None:
    """Cover those that are `known`, also where their program has given the file another name since."""
    inodes = {one.inode for one in known}
    for folder in _folders(known):
        _cover(folder, inodes)
    for one in known:  # in a folder that may be entered but not listed
        _cover_file(one.path)


def _folders(known: Iterable[BoundSocket]) -> set[str]:
    return {os.path.dirname(one.path) for one in known if one.path.startswith("/")}  # noqa: PTH120


def _common_folders() -> Iterator[str]:
    for top in ("/tmp", "/var/tmp"):
        yield top
        yield from _below(top, hidden_only=False)
    home = os.environ.get("HOME", "")
    if home.startswith("/"):
        yield home
        yield from _below(home, hidden_only=True)


def _below(top: str, *, hidden_only: bool) -> Iterator[str]:
    with suppress(OSError), os.scandir(top) as entries:
        for entry in entries:
            if (entry.name.startswith(".") or not hidden_only) and entry.is_dir(follow_symlinks=False):
                yield entry.path


def _cover(folder: str, inodes: Collection[int] | None) -> None:
    """Cover the sockets in `folder`: those of these inodes, or all that answer."""
    sockets, others = [], False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
                    others = True
                elif stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                    sockets.append(entry)
                else:
                    others = True
    except OSError:
        return
    chosen = [
        entry.path
        for entry in sockets
        if (_answers_at(entry.path) if inodes is None else entry.inode() & 0xFFFFFFFF in inodes)
    ]
    if len(chosen) == len(sockets) and chosen and not others:
        _cover_folder(folder)  # so that a program of the world may make one of the same name
        return
    for path in chosen:
        _cover_file(path)


def _cover_folder(folder: str) -> None:
    status = os.stat(folder)  # noqa: PTH116
    with suppress(OSError):
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"mode={status.st_mode & 0o7777:o}")
        os.chown(folder, status.st_uid, status.st_gid)


def _cover_file(path: str) -> None:
    if path.startswith("/"):
        with suppress(OSError):
            if stat.S_ISSOCK(Path(path).lstat().st_mode):
                mount(str(CLOSED), path, flags=MS_BIND)


def _answers_at(path: str) -> bool:
    """Whether a program has it open. It does not notice: a stream socket refuses a datagram's by type."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except OSError as refusal:
            return refusal.errno == errno.EPROTOTYPE
    return True
