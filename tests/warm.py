"""`testbed …` without the time that its imports take: a process that has them already forks for each command.

For tests of what a command does. How the program itself starts, and is ended, is for tests with a real one.
"""

import atexit
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("censor", "internet", "middlebox", "model", "probe", "report", "run", "truth", "vantage", "world")
OTHERS = (
    "testbed.cli.run",
    "testbed.scenario.fromfiles",
    "hypercorn.asyncio.run",
    "hypercorn.asyncio.udp_server",
)


class WarmDone(NamedTuple):
    """A finished command."""

    status: int
    out: str
    err: str


def run_warm(*args: str, cwd: Path, env: dict[str, str], timeout: float) -> WarmDone:
    """Run `testbed ARGS` as `subprocess.run` does. TimeoutExpired if it takes too long; it is killed then.

    Several threads may do so at once: each command has a line of its own, on which its process id and its
    status come back.
    """
    streams = [os.pipe(), os.pipe()]
    null = os.open(os.devnull, os.O_RDONLY)
    own, theirs = socket.socketpair()
    asked = json.dumps({"args": args, "cwd": str(cwd), "env": env}).encode()
    given = [null, *(write for _, write in streams), theirs.fileno()]
    with _asking:
        line = _server()
        socket.send_fds(line, [len(asked).to_bytes(4, "big")], given)
        line.sendall(asked)
    theirs.close()
    for number in given[:-1]:
        os.close(number)
    with own:
        pid = int(own.recv(16))
        said = _read_all([read for read, _ in streams], timeout)
        if said is None:
            os.kill(pid, signal.SIGKILL)
            own.recv(16)
            raise subprocess.TimeoutExpired(["testbed", *args], timeout)
        return WarmDone(int(own.recv(16)), *(part.decode() for part in said))


def _read_all(ends: list[int], timeout: float) -> list[bytes] | None:
    """What comes through the pipes until all are closed; None if that takes too long."""
    until = time.monotonic() + timeout
    found = {end: bytearray() for end in ends}
    with selectors.DefaultSelector() as waiting:
        for end in ends:
            waiting.register(end, selectors.EVENT_READ)
        while waiting.get_map() and time.monotonic() < until:
            for key, _ in waiting.select(max(0.0, until - time.monotonic())):
                part = os.read(key.fd, 65536)
                found[key.fd] += part
                if not part:
                    waiting.unregister(key.fd)
        late = bool(waiting.get_map())
    for end in ends:
        os.close(end)
    return None if late else [bytes(part) for part in found.values()]


_asking = threading.Lock()


@cache
def _server() -> socket.socket:
    """The line to this process's server, which ends with it."""
    ours, theirs = socket.socketpair()
    line = [sys.executable, "-c", f"from tests.warm import serve; serve({theirs.fileno()})"]
    process = subprocess.Popen(line, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()

    def end() -> None:
        ours.close()
        process.kill()
        process.wait()

    atexit.register(end)
    return ours


def serve(fileno: int) -> None:
    """Fork for each command; return when there is nobody to ask for one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
    line = socket.socket(fileno=fileno)
    for name in PACKAGES:
        package = import_module(f"testbed.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"testbed.{name}."):
            import_module(module.name)
    for name in OTHERS:
        import_module(name)
    import_module("testbed.scenario.loader").load("free-network")  # parses the world of most scenarios
    gc.collect()
    gc.freeze()
    while True:
        head, given, _, _ = socket.recv_fds(line, 4, 4)
        if not head:
            return
        asked, size = b"", int.from_bytes(head, "big")
        while len(asked) < size:
            asked += line.recv(size - len(asked))  # no more: the next one's streams come with its head
        if os.fork() == 0:
            line.close()
            _see_through(json.loads(asked), given[:-1], socket.socket(fileno=given[-1]))
        for number in given:
            os.close(number)


def _see_through(asked: dict, streams: list[int], line: socket.socket) -> None:
    """Start the command, and say its process id and then its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(asked, streams)
    for stream in streams:
        os.close(stream)
    line.sendall(b"%16d" % pid)
    line.sendall(b"%16d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(asked: dict, streams: list[int]) -> None:
    """Be the program, as it would be if it had just been started."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.argv = ["testbed", *asked["args"]]
    status = 1
    try:
        from testbed.cli.start import main

        main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
