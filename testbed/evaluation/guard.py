"""Runs one program and reports how it ended: a script, started in the world beside the program.

It needs nothing but the standard library, knows nothing of the scenario, reads its settings from standard
input (arguments could be read in /proc), and prints one JSON object: `ending`, `status`, `seconds`, `left`,
`full`, and `stdout` and `stderr` in base64. The program has a session of its own, and a terminal if that is
asked for. It is ended when it has printed more than `keep` bytes, when its output matches `stop`, or after
`limit` seconds. What it leaves behind is counted and killed: processes whose parent has ended become children
of this one. Its folder and /dev/shm have a size: with all else read-only, it cannot fill the machine's disk.
"""

import base64
import ctypes
import json
import os
import pty
import re
import resource
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
_SET_SIZE = 0x5414  # TIOCSWINSZ, ioctl_tty(2)
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL; our choice
_TICK = 0.1  # seconds; our choice
_ROOM = 512 << 20  # bytes of its folder, and of /dev/shm, which are in memory; our choice
_FILES = 100_000  # in each; our choice
_SHARED = "/dev/shm"
_SAFE = 2 | 4  # MS_NOSUID, MS_NODEV, mount(2)
_TAIL = 65536  # bytes in which `stop` is looked for; our choice


def guard(argv: list[str], limit: float, keep: int, stop: str, *, tty: bool) -> dict[str, Any]:
    """Run `argv` and wait for its end."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    try:
        process, streams = _start(argv, tty=tty)
    except OSError as error:
        return _report(
            "not started", 127, 0.0, 0, {"out": b"", "err": f"{argv[0]}: {error.strerror}".encode()}
        )
    kept = {"out": bytearray(), "err": bytearray()}
    ending = _watch(process, streams, kept, began + limit, keep, re.compile(stop.encode()) if stop else None)
    if ending != "done":
        _end(process)
    status = process.wait()
    seconds = time.monotonic() - began
    left, full = _sweep(), _is_full()
    if ending == "done" and status < 0:
        ending = "crashed"
    shown = 128 - status if status < 0 else status
    made = _report(ending, shown, seconds, left, {name: bytes(data[:keep]) for name, data in kept.items()})
    return {**made, "full": full}


def confine_to_room(folder: str) -> None:
    """Put small file systems over the folder in which the program begins, and over /dev/shm.

    OSError if it fails.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for place, mode in ((folder, "700"), (_SHARED, "1777")):
        options = f"mode={mode},size={_ROOM},nr_inodes={_FILES}".encode()
        if libc.mount(b"none", os.fsencode(place), b"tmpfs", _SAFE, options) != 0:
            raise OSError(ctypes.get_errno(), "cannot be covered", place)
    os.chdir(folder)


def _is_full() -> bool:
    """Whether one of them has no room for another page or file."""
    return any(left.f_bfree == 0 or left.f_ffree == 0 for left in map(os.statvfs, (".", _SHARED)))


def _report(ending: str, status: int, seconds: float, left: int, kept: dict[str, bytes]) -> dict[str, Any]:
    return {
        "ending": ending,
        "status": status,
        "seconds": round(seconds, 3),
        "left": left,
        "full": False,
        "stdout": base64.b64encode(kept["out"]).decode(),
        "stderr": base64.b64encode(kept["err"]).decode(),
    }


def _start(argv: list[str], *, tty: bool) -> "tuple[subprocess.Popen[bytes], dict[int, str]]":
    """The process, and its streams: file number -> "out" or "err"."""
    if tty:
        master, slave = pty.openpty()
        ioctl(slave, _SET_SIZE, struct.pack("HHHH", 40, 120, 0, 0))
        try:
            process = subprocess.Popen(
                argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                preexec_fn=_with_terminal,  # noqa: PLW1509 (this process has one thread)
            )  # fmt: skip
        finally:
            os.close(slave)
        return process, {master: "out"}
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_limited,  # noqa: PLW1509
    )  # fmt: skip
    assert process.stdout is not None  # they are pipes
    assert process.stderr is not None
    return process, {process.stdout.fileno(): "out", process.stderr.fileno(): "err"}


def _limited() -> None:
    """No memory image is kept."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _with_terminal() -> None:
    _limited()
    ioctl(0, 0x540E, 0)  # TIOCSCTTY


def _watch(
    process: "subprocess.Popen[bytes]",
    streams: dict[int, str],
    kept: dict[str, bytearray],
    due: float,
    keep: int,
    stop: "re.Pattern[bytes] | None",
) -> str:
    """Read until the program has ended, or must be ended. Its children may keep the streams open."""
    with selectors.DefaultSelector() as selector:
        for number in streams:
            selector.register(number, selectors.EVENT_READ)
        while True:
            ended, more = process.poll() is not None, False
            for key, _ in selector.select(0 if ended else _TICK):
                data = _read(key.fd)
                kept[streams[key.fd]] += data
                more = more or bool(data)
                if not data:
                    selector.unregister(key.fd)
            if sum(map(len, kept.values())) > keep:
                return "flooded"
            if stop is not None and any(stop.search(data[-_TAIL:]) for data in kept.values()):
                return "stopped"
            if ended and not more:
                return "done"
            if time.monotonic() > due:
                return "hung"


def _read(number: int) -> bytes:
    try:
        return os.read(number, 65536)
    except OSError:  # EIO: the other end of a terminal is closed
        return b""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the program's process group to end, then kill it."""
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return


def _sweep() -> int:
    """Kill every process that is left; how many there were."""
    seen: set[int] = set()
    while True:
        for number in list(_descendants()):
            seen.add(number)
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return len(seen)


def _descendants() -> Iterator[int]:
    """Processes below this one; those that have ended and wait for us are no work of the program's."""
    parents: dict[int, int] = {}
    dead: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, parent = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[:2]
            except OSError:
                continue
            parents[int(entry.name)] = int(parent)
            if state == "Z":
                dead.add(int(entry.name))
    for number in parents:
        above = number
        while above in parents and above != os.getpid():
            above = parents[above]
        if above == os.getpid() and number != above and number not in dead:
            yield number


if __name__ == "__main__":
    given = json.load(sys.stdin)
    if given["room"]:
        confine_to_room(str(Path.cwd()))
    report = guard(sys.argv[1:], given["limit"], given["keep"], given["stop"], tty=given["tty"])
    json.dump(report, sys.stdout)
