"""The process that holds a run's pods, outside of the world, and removes them when the run has ended.

It is a program of its own, so that it outlives a run that is killed. Each container has a line of its own: a
line of JSON asks for it, one says that it runs, one its exit status; the line's end ends it.
"""

import itertools
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from socket import recv_fds, socket
from typing import TYPE_CHECKING, Any

from testbed.containers.engine import (
    Requested,
    Shared,
    create,
    engine,
    exit_status,
    image_of,
    remove_sharing,
    start,
    sweep,
)
from testbed.errors import InputError, TestbedError, UnsupportedError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_PATIENCE = 1  # seconds that a container has to end after SIGTERM: our choice, below a service's own limit
_LAST_OUTPUT = 2  # seconds until what it printed last is not waited for any longer: our choice
_LONGEST = 1 << 20  # octets of the first message


def main() -> int:
    """Hold the pods that the socket of the given number asks for."""
    control = socket(fileno=int(sys.argv[1]))
    asked = json.loads(control.recv(_LONGEST))
    images = [one for each in asked["wanted"].values() for one in each]
    try:
        with engine() as client:
            _hold(client, control, asked)
    except UnsupportedError as error:
        if asked["needed"]:
            _say(control, error=str(error), status=int(error.exit_status))
        else:
            _say(control, pids={}, ids={}, lacking=dict.fromkeys(images, str(error)))
            control.recv(1)
    except TestbedError as error:
        _say(control, error=str(error), status=int(error.exit_status))
    return 0


def _hold(client: "DockerClient", control: socket, asked: Mapping[str, Any]) -> None:
    sweep(client)
    lacking = _lacking(client, asked["wanted"], asked["needed"])
    folder = Path(asked["folder"])
    owners: dict[str, Container] = {}
    try:
        pids = {}
        for place, images in asked["wanted"].items():
            if here := [one for one in images if one not in lacking]:
                owners[place], pids[place] = _owner(client, place, here[0], folder)
        ids = {place: str(owner.id) for place, owner in owners.items()}
        _say(control, pids=pids, ids=ids, lacking=lacking)
        for number in itertools.count():
            _, lines, _, _ = recv_fds(control, 100, 1)
            if not lines:
                return
            where = folder / str(number)
            threading.Thread(target=_serve, args=(socket(fileno=lines[0]), where), daemon=True).start()
    finally:
        for owner in owners.values():
            with suppress(Exception):  # the engine may have ended before
                remove_sharing(client, str(owner.id))


def _lacking(
    client: "DockerClient", wanted: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> dict[str, str]:
    """Image -> why it cannot be had. InputError for one that is needed."""
    found = {}
    for name in dict.fromkeys(one for each in wanted.values() for one in each):
        try:
            image_of(client, name)
        except InputError as missing:
            if name in needed:
                raise
            found[name] = f"containers: {missing.problems[0].message}"
    return found


def _owner(client: "DockerClient", place: str, image: str, folder: Path) -> tuple["Container", int]:
    """A container that owns a place's network and does nothing else, and its process."""
    shared = folder / place
    shared.mkdir()
    os.mkfifo(shared / "go")  # nobody writes into it
    requested = Requested(image, ("true",), place, (), {})
    owner = create(client, requested, Shared(str(shared), {}), terminal=False)
    try:
        return owner, start(owner, image)
    except BaseException:
        owner.remove(force=True)
        raise


def _serve(line: socket, folder: Path) -> None:
    """Run one container until it ends or its line does."""
    with line, suppress(OSError, EOFError), engine() as client:
        asked = json.loads(_request(line))
        try:
            container = _started(client, asked, folder)
        except TestbedError as error:
            _say(line, error=str(error), status=int(error.exit_status))
            return
        threading.Thread(target=_report, args=(container, line, asked["log"]), daemon=True).start()
        _say(line, running=True)
        line.recv(1)  # its end
        with suppress(Exception):  # it may have ended
            container.stop(timeout=_PATIENCE)
        with suppress(Exception):
            container.remove(force=True)


def _started(client: "DockerClient", asked: Mapping[str, Any], folder: Path) -> "Container":
    folder.mkdir(mode=0o755)
    for name, text in asked["files"].items():
        (folder / name).write_text(text, "utf-8")
    requested = Requested(
        asked["image"],
        tuple(asked["command"]),
        "",
        tuple(asked["volumes"]),
        asked["environment"],
        asked["network"],
        tuple(asked["entry"]),
        waits=False,
    )
    container = create(client, requested, Shared(str(folder), asked["mounts"]), terminal=False)
    try:
        start(container, requested.image)
    except BaseException:
        container.remove(force=True)
        raise
    return container


def _report(container: "Container", line: socket, log: str) -> None:
    """Append what it prints to its log, wait for its end and say its exit status."""
    copying = threading.Thread(target=_copy, args=(container, log), daemon=True)
    copying.start()
    with suppress(Exception):  # it has been removed: nobody asks any longer
        status = exit_status(container)
        copying.join(_LAST_OUTPUT)
        _say(line, exit=status)


def _copy(container: "Container", log: str) -> None:
    with suppress(Exception), Path(log).open("ab", buffering=0) as file:
        file.writelines(container.logs(stream=True, follow=True))


def _request(line: socket) -> bytes:
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        if not (more := line.recv(1 << 16)):
            raise EOFError
        parts.append(more)
    return b"".join(parts)


def _say(line: socket, **values: Any) -> None:
    with suppress(OSError):  # the run has ended
        line.sendall(json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
