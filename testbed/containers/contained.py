"""A run's container, seen from the run: its network namespace, what it finds there, and its command."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from socket import SOCK_STREAM, socket, socketpair
from typing import Any

from testbed.containers.engine import Requested, Shared
from testbed.errors import Exit, InputError, InvalidRunError, UnsupportedError
from testbed.internet.launchcontainer import BUNDLE, HOSTS, MOUNTED, RESOLVERS, ROOT, TRUSTING
from testbed.vantage.environment import Environment
from testbed.world import interrupt, linux

_GO = "go"
SHELL = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")
"""The best shell that an image has."""


@dataclass(frozen=True, slots=True)
class Contained:
    """A container that waits for its network."""

    network: int  # its network namespace, a descriptor
    _shared: Path
    _line: socket

    def run(self, environment: Environment) -> int:
        """Give it the subscriber's resolver and authorities, let it go, wait; its exit status.

        Ctrl-C goes to it; a signal to the run is passed on and ends the run. Errors: InvalidRunError if its
        holder ended; RunInterrupted.
        """
        home = environment.scratch.parent
        for name, source in (
            (RESOLVERS, environment.tree / "etc/resolv.conf"),
            (HOSTS, environment.tree / "etc/hosts"),
            (BUNDLE, home / BUNDLE),
            (ROOT, home / ROOT),
        ):
            (self._shared / name).write_bytes(source.read_bytes())  # the same file: it is mounted already
        self._line.sendall(b'{"go": true}\n')
        with interrupt.listening():
            interrupt.wait_for_command(self._line.fileno(), self._send)
        return int(answer_from(self._line)["exit"])

    def _send(self, number: int) -> None:
        self._line.sendall(json.dumps({"signal": int(number)}).encode() + b"\n")


@contextmanager
def contained(requested: Requested, run_dir: Path) -> Iterator[Contained]:
    """Create a container that waits for its network, and remove it in the end. Call it outside a world.

    Errors: UnsupportedError without rights or engine; InputError for what is wrong with the image.
    """
    if why := rights_lacking():
        raise UnsupportedError(why)
    folder = run_dir.resolve() / "container"
    folder.mkdir()
    for file in (RESOLVERS, HOSTS, BUNDLE, ROOT):
        (folder / file).touch()
    os.mkfifo(folder / _GO)
    requested = replace(requested, environment={**TRUSTING, **requested.environment})
    asked = {"requested": asdict(requested), "shared": asdict(Shared(str(folder), MOUNTED))}
    ours, theirs = socketpair()
    with ours, theirs:
        holder = subprocess.Popen(
            [sys.executable, "-P", "-m", "testbed.containers.holder", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            ours.sendall(json.dumps(asked).encode() + b"\n")
            network = network_of(answer_from(ours)["pid"])
            try:
                yield Contained(network, folder, ours)
            finally:
                os.close(network)
        finally:
            ours.close()
            holder.wait()
            shutil.rmtree(folder, ignore_errors=True)


def rights_lacking() -> str:
    """Why no container can join a world of this process; "" if one can."""
    if linux.may_administer():
        return ""
    return (
        "containers: an engine's containers can join a world of its own user's only; remedy: with Docker "
        "sudo, with rootless Podman start it by 'podman unshare'"
    )


def network_of(pid: int) -> int:
    """The network namespace of a container's process, as a descriptor."""
    try:
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UnsupportedError(
            f"containers: the container's process {pid} cannot be entered from here ({error.strerror}); "
            "remedy: run testbed where the engine runs, not in a container of its own, and with its rights"
        ) from error


def variables(given: Sequence[str]) -> dict[str, str]:
    """What "NAME=VALUE" and "NAME" (for the value that it has here) say. InputError for another form."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name:
            raise InputError.at("--env", f"{one!r} names no variable", "give NAME=VALUE, or NAME for ours")
        found[name] = value if equals else os.environ.get(name, "")
    return found


_ERRORS: dict[int, Callable[[str], Exception]] = {
    Exit.INPUT: partial(InputError.at, ""),
    Exit.UNSUPPORTED: UnsupportedError,
}


def answer_from(line: socket) -> dict[str, Any]:
    """The next line of JSON of a process that holds containers. Errors: what that names; InvalidRunError."""
    data = b""
    # By single octets from a stream: a line that follows stays where `select` sees it.
    size = 1 if line.type == SOCK_STREAM else 1 << 20
    while not data.endswith(b"\n"):
        try:
            more = line.recv(size)
        except ConnectionResetError:  # it ended before it had read what was asked
            more = b""
        if not more:
            raise InvalidRunError("the process that holds the container ended")
        data += more
    answer: dict[str, Any] = json.loads(data)
    if "error" in answer:
        raise _ERRORS.get(answer["status"], InvalidRunError)(answer["error"])
    return answer
