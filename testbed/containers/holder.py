"""The process that holds a run's container, outside of the world: the engine's socket does not exist inside.

It is a program of its own, so that it outlives a run that is killed, and removes the container then, too.
Both sides write lines of JSON. The run names what it asks for; the holder answers the number of the
container's process; the run says `go` once the network is there; the holder answers the exit status. In
between come signals.
"""

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from testbed.containers import attach
from testbed.containers.engine import Requested, Shared, create, engine, exit_status, start, sweep
from testbed.errors import TestbedError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


def main() -> int:
    """Hold one container, as the socket of the given number asks."""
    line = socket(fileno=int(sys.argv[1]))
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        with engine() as client:
            _hold(client, line, terminal=terminal)
    except TestbedError as error:
        _say(line, error=str(error), status=int(error.exit_status))
    except EOFError:  # the run has ended
        pass
    return 0


def _hold(client: "DockerClient", line: socket, *, terminal: bool) -> None:
    sweep(client)
    asked = json.loads(_line(line))
    requested, shared = Requested(**asked["requested"]), Shared(**asked["shared"])
    container = create(client, requested, shared, terminal=terminal)
    try:
        _say(line, pid=start(container, requested.image))
        _line(line)  # "go"
        _say(line, exit=_run(client, container, line, Path(shared.folder, "go"), terminal=terminal))
        _line(line)  # the end of the run
    finally:
        with suppress(Exception):  # the engine may have ended before
            container.remove(force=True)


def _run(client: "DockerClient", container: "Container", line: socket, gate: Path, *, terminal: bool) -> int:
    """Let it go, join its streams to ours, and wait for its end; its exit status."""
    every = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    attached = client.api.attach_socket(container.id, params=every)
    streams: socket = getattr(attached, "_sock", attached)

    def kill(number: int, *_: object) -> None:
        with suppress(Exception):  # it may have ended
            container.kill(number)

    def heed(request: bytes) -> None:
        for text in request.splitlines():
            kill(json.loads(text)["signal"])

    from docker.errors import NotFound

    signal.signal(signal.SIGINT, kill)  # of the terminal: meant for what runs in it
    gate.write_text("go\n", encoding="ascii")
    if terminal:
        with attach.raw_terminal(container.resize):
            attach.pump(streams, line, heed, terminal=True)
    else:
        attach.pump(streams, line, heed, terminal=False)
    try:
        return exit_status(container)
    except NotFound:  # it has been removed, with the world that it ran in
        return 128 + signal.SIGKILL


def _line(line: socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        if not (more := line.recv(1 << 16)):
            raise EOFError
        data += more
    return data


def _say(line: socket, **values: Any) -> None:
    with suppress(OSError):  # the run has ended
        line.sendall(json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
