"""Breaking a world on purpose: from outside, because a command inside does not see the world's processes.

with meddling(tmp_path, kill("far")) as command:
    done = testbed("free-network", "--vantage", "mts", "--", *command)
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

PATIENCE = 60.0  # seconds until the command must have started

Deed = Callable[[Path], object]  # is given the folder below which the run has its folder


@contextmanager
def meddling(folder: Path, deed: Deed, first: str = "true") -> Iterator[list[str]]:
    """A command that runs `first` (for the shell) and then waits until `deed` has been done."""
    waiting, done = folder / "waiting", folder / "done"
    for file in (waiting, done):
        file.unlink(missing_ok=True)
    raised: list[BaseException] = []

    def meddle() -> None:
        end = time.monotonic() + PATIENCE
        while not waiting.exists() and time.monotonic() < end:
            time.sleep(0.02)
        try:
            deed(folder)
        except BaseException as error:
            raised.append(error)
        done.touch()

    meddler = Thread(target=meddle)
    meddler.start()
    places = shlex.quote(str(waiting)), shlex.quote(str(done))
    try:
        yield ["sh", "-c", f"{first}; : > {places[0]}; while [ ! -e {places[1]} ]; do sleep 0.02; done"]
    finally:
        waiting.touch()
        meddler.join()
    if raised:
        raise raised[0]


def service(name: str, folder: Path) -> int:
    """The process of a service, which writes its log below `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            log = os.readlink(process / "fd/1")  # noqa: PTH115 (it need not be a path)
        except OSError:
            continue
        if log.startswith(f"{folder.resolve()}/") and log.endswith(f"/logs/{name}.log"):
            return int(process.name)
    raise AssertionError(f"no process has the log of {name}")


def send(number: int, name: str) -> Deed:
    """Send a signal to a service."""
    return lambda folder: os.kill(service(name, folder), number)


kill = partial(send, signal.SIGKILL)


def at(name: str, *command: str) -> Deed:
    """Run a command in the network namespace of a service."""
    users = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]

    def run(folder: Path) -> None:
        target = ["nsenter", "--target", str(service(name, folder)), "--net", *users]
        subprocess.run([*target, *command], check=True, capture_output=True)

    return run


def send_to_main(number: int) -> Deed:
    """Send a signal to the main process of the run that this process has begun."""

    def deed(_: Path) -> None:
        depth = len(_numbers(os.getpid())) + 1
        numbers = {pid: _numbers(pid) for pid in descendants(os.getpid())}
        [main] = [pid for pid, seen in numbers.items() if (len(seen), seen[-1:]) == (depth, ["2"])]
        os.kill(main, number)

    return deed


def _numbers(pid: int) -> list[str]:
    """A process's number in each PID namespace that it is in, from the machine's on; [] if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    return next(line for line in status if line.startswith("NSpid:")).split()[1:]


def descendants(root: int) -> set[int]:
    """All processes below `root`, by parent number."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grown = {root}, True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(new)
        found |= new
    return found - {root}
