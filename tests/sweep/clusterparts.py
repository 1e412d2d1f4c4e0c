"""Schedulers, workers and sweeps as processes of their own, for tests that end them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

BIN = Path(sys.executable).parent
_FOREVER = 240.0  # seconds that something may take on a busy machine


def wait_for(done: Callable[[], object], what: str) -> None:
    """AssertionError if it does not come."""
    until = time.monotonic() + _FOREVER
    while not done():
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.02)


@contextmanager
def started(words: Sequence[str], log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, which is ended afterwards."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=os.environ | environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def scheduler(
    folder: Path, port: int = 0, **environment: str
) -> Iterator["tuple[subprocess.Popen[bytes], str]"]:
    """A scheduler and its address."""
    log = folder / "scheduler.log"
    words = [f"{BIN}/dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with started(words, log, **environment) as process:
        address = re.compile(r"Scheduler at:\s+(tcp://\S+)")
        wait_for(lambda: address.search(log.read_text()), "a scheduler")
        found = address.search(log.read_text())
        assert found is not None
        yield process, found[1]


@contextmanager
def worker(
    address: str, folder: Path, before: Sequence[str] = (), program: Sequence[str] = (f"{BIN}/dask", "worker")
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker without a nanny; `before` are the words that start it, as for another user namespace."""
    log = folder / "worker.log"
    words = [
        *before, *program, address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1",
        "--memory-limit", "0", "--local-directory", str(folder),
    ]  # fmt: skip
    with started(words, log) as process:
        wait_for(lambda: "Registered to:" in log.read_text(), "a worker")
        yield process


def another_dask(folder: Path) -> dict[str, str]:
    """The environment of a process whose Dask says that it is another version."""
    real = distribution("distributed")
    fake = folder / "distributed-2024.1.0.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: distributed\nVersion: 2024.1.0\n", "utf-8")
    (fake / "entry_points.txt").write_text(real.read_text("entry_points.txt") or "", "utf-8")
    return {"PYTHONPATH": str(folder)}


def sweep_words(spec: Path, out: Path, *options: str) -> list[str]:
    """The command of a sweep."""
    return [f"{BIN}/testbed", "sweep", str(spec), "--out", str(out), *options]


def trials(folder: Path) -> dict[str, str]:
    """What the tables of a sweep are: a digest of each file."""
    files = folder.glob("trials/*/*")
    return {str(one.relative_to(folder)): sha256(one.read_bytes()).hexdigest() for one in files}


def children(pid: int) -> list[int]:
    """Processes below this one, by id."""
    found = []
    for one in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(one.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [int(one.parent.name), *children(int(one.parent.name))]
    return found


def command_of(pid: int) -> str:
    """Its command line, "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kept(folder: Path) -> int:
    """Runs that are kept, in the journal or in a table of a hundred."""
    lines = sum(one.read_bytes().count(b"\n") for one in folder.glob("journal/*.jsonl"))
    return lines + 100 * len([*folder.glob("runs/*/*.parquet")])
