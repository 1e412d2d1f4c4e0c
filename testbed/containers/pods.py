"""Pods: containers that share the network of one place of a world, started whenever something asks.

A container that only waits owns the network; it is there before the world is built, and its network becomes
the place's. A process outside, `testbed.containers.podkeeper`, starts others in it: inside a world the engine
cannot be reached, but a line to that process is inherited.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from socket import AF_UNIX, SOCK_SEQPACKET, send_fds, socket, socketpair

from testbed.containers.contained import answer_from, network_of, rights_lacking
from testbed.errors import UnsupportedError
from testbed.internet.services.container import ContainerOrder, StartContainer


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of a run."""

    ids: Mapping[str, str] = field(default_factory=dict)  # place -> id of the container that owns its network
    networks: Mapping[str, int] = field(default_factory=dict)  # place -> its network namespace, a descriptor
    lacking: Mapping[str, str] = field(default_factory=dict)  # image -> why it cannot be had here
    _control: socket | None = None

    def starting(self, place: str) -> StartContainer | None:
        """What starts a container at a place of the world; None if it has no pod."""
        return partial(self._start, self.ids[place]) if place in self.ids else None

    def why_not(self, images: Sequence[str]) -> str:
        """Why these images cannot be had; "" if they can."""
        return "; ".join(dict.fromkeys(self.lacking[one] for one in images if one in self.lacking))

    def _start(self, network: str, order: ContainerOrder) -> "PodContainer":
        assert self._control is not None, "a pod has a keeper"
        ours, theirs = socketpair()
        with theirs:
            send_fds(self._control, [b"container"], [theirs.fileno()])
        ours.sendall(json.dumps({**asdict(order), "network": network}).encode() + b"\n")
        answer_from(ours)
        return PodContainer(ours)


class PodContainer:
    """A container that runs in a pod."""

    def __init__(self, line: socket) -> None:
        self._line = line

    def fileno(self) -> int:
        """Readable when it has ended."""
        return self._line.fileno()

    def status(self) -> int:
        """Wait for its end; its exit status. InvalidRunError if its keeper ended."""
        return int(answer_from(self._line)["exit"])

    def stop(self) -> None:
        """End it and wait until it is removed."""
        self._line.shutdown(1)
        while self._line.recv(1 << 10):
            pass
        self._line.close()


@contextmanager
def pods_for(wanted: Mapping[str, Sequence[str]], needed: Sequence[str], run_dir: Path) -> Iterator[Pods]:
    """Make the pods of the places that want images, and remove all of it in the end. Outside a world.

    An image that cannot be had is `lacking`. Errors: for one that is `needed`, UnsupportedError without
    rights or engine, InputError if there is no such image.
    """
    images = [one for each in wanted.values() for one in each]
    if not images:
        yield Pods()
        return
    if why := rights_lacking():
        if needed:
            raise UnsupportedError(why)
        yield Pods(lacking=dict.fromkeys(images, why))
        return
    folder = run_dir.resolve() / "pods"
    folder.mkdir(mode=0o700)
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    with ours:
        with theirs:
            keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "testbed.containers.podkeeper", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is meant for the run, whose end ends it
            )
        try:
            asked = {"wanted": {place: list(each) for place, each in wanted.items()}, "needed": list(needed)}
            ours.sendall(json.dumps({**asked, "folder": str(folder)}).encode())
            made = answer_from(ours)
            networks = {place: network_of(pid) for place, pid in made["pids"].items()}
            try:
                yield Pods(made["ids"], networks, made["lacking"], ours)
            finally:
                for descriptor in networks.values():
                    os.close(descriptor)
        finally:
            ours.close()
            keeper.wait()
            shutil.rmtree(folder, ignore_errors=True)
