"""The container engine of this machine: found, and asked to create what a run needs."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import InputError, UnsupportedError
from testbed.internet.launchcontainer import INSIDE

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

OWNER = "testbed.owner"  # a container's label: the `owner_mark` of the process that holds it
NETWORK = "testbed.network"  # and, if it shares another one's network: that one's id
# It waits until its network is there; a FIFO leaves stdin alone.
_WAITING = ("/bin/sh", "-c", f'read -r _ <{INSIDE}/go && exec "$@"', "sh")
_TUN = "/dev/net/tun"
_POLL = (0.05, 0.5)  # seconds between two looks whether a container has ended, first and later: our choice


@dataclass(frozen=True, slots=True)
class Requested:
    """A container as its user asks for it."""

    image: str
    command: tuple[str, ...]  # (): the image's own
    name: str  # its host name
    volumes: tuple[str, ...]  # as Docker takes them: "/here:/there:ro"
    environment: Mapping[str, str]
    network: str = ""  # id of the container whose network it shares; "": one of its own, empty
    entry: tuple[str, ...] = ()  # instead of the image's entry point
    waits: bool = True  # in its shell, until its network is there


@dataclass(frozen=True, slots=True)
class Shared:
    """What a container sees of the run."""

    folder: str  # with `go`, a FIFO, and files to be mounted
    mounts: Mapping[str, str]  # a file's path in the container -> its name in the folder


@contextmanager
def engine() -> Iterator["DockerClient"]:
    """The engine that DOCKER_HOST names, or Docker's or Podman's at its usual place.

    Errors: UnsupportedError with the remedy, if the Python package or the engine is missing.
    """
    try:
        import docker
        from requests.exceptions import RequestException
    except ImportError as missing:
        raise UnsupportedError(
            f"containers: the Python package {missing.name} is missing; "
            "remedy: pip install 'runet-testbed[containers]'"
        ) from missing
    place = next((place for place in _places() if place), "")
    if not place:
        raise UnsupportedError(
            "containers: no engine answers on this machine; remedy: start Docker (sudo systemctl start "
            "docker) or Podman's socket (systemctl start podman.socket), or name it in DOCKER_HOST"
        )
    try:
        _must_listen(place)
        client = docker.DockerClient(base_url=place, timeout=60)  # it asks for the version
    except (OSError, docker.errors.DockerException, RequestException) as error:
        raise UnsupportedError(
            f"containers: the engine at {place} does not answer ({error}); "
            "remedy: start it, or name another in DOCKER_HOST"
        ) from error
    try:
        yield client
    finally:
        client.close()


def _must_listen(place: str) -> None:
    """OSError if nobody listens at a Unix socket: the package would leave one of its own open."""
    kind, _, path = place.partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as any_socket:
            any_socket.connect(path)


def _places() -> Iterator[str]:
    yield os.environ.get("DOCKER_HOST", "") or os.environ.get("CONTAINER_HOST", "")
    own = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    for path in ("/var/run/docker.sock", "/run/podman/podman.sock", f"{own}/podman/podman.sock"):
        if os.access(path, os.R_OK | os.W_OK):
            yield f"unix://{path}"


def create(client: "DockerClient", requested: Requested, shared: Shared, *, terminal: bool) -> "Container":
    """A container that waits for its network: it has none but loopback.

    Errors: InputError for an image that this machine does not have, or that cannot be used.
    """
    from docker.errors import APIError

    image = image_of(client, requested.image)
    files = [f"{shared.folder}/{name}:{path}" for path, name in shared.mounts.items()]
    network: dict[str, Any] = {"network_mode": "none", "hostname": requested.name}
    if requested.network:  # which has a host name
        network = {"network_mode": f"container:{requested.network}"}
    try:
        return client.containers.create(
            image.id,
            **_program(requested, image.attrs.get("Config") or {}),
            **network,
            environment=dict(requested.environment),
            volumes=[f"{shared.folder}:{INSIDE}", *files, *requested.volumes],
            cap_add=["NET_ADMIN", "NET_RAW"],  # of its own network, as every subscriber has
            devices=[f"{_TUN}:{_TUN}:rwm"] if Path(_TUN).exists() else [],
            labels={OWNER: owner_mark(), NETWORK: requested.network},
            stdin_open=requested.waits,
            tty=terminal,
        )
    except APIError as refused:
        raise InputError.at("--image", f"{requested.image}: {_words(refused)}") from refused


def image_of(client: "DockerClient", name: str) -> "Image":
    """An image of this machine. InputError with those that there are, if it is none of them."""
    from docker.errors import ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound as missing:
        known = ", ".join(sorted(tag for one in client.images.list() for tag in one.tags)) or "none"
        remedy = f"load it first (docker pull, docker import); there are: {known}"
        raise InputError.at("--image", f"no image {name!r} on this machine", remedy) from missing


def start(container: "Container", image: str) -> int:
    """Start it; its process, as this machine numbers it. InputError if the image has no shell."""
    from docker.errors import APIError

    try:
        container.start()
    except APIError as refused:
        lacking = "no such file" in str(refused) and "/bin/sh" in str(refused)
        remedy = (
            "a container waits for its network in /bin/sh: choose an image that has one" if lacking else ""
        )
        raise InputError.at("--image", f"{image}: {_words(refused)}", remedy) from refused
    container.reload()
    return int(container.attrs["State"]["Pid"])


def exit_status(container: "Container") -> int:
    """Wait until it no longer runs; its exit status. NotFound if it is removed meanwhile.

    By looking: Podman's `wait`, and the end of the output that it sends, come when a process of Podman's has
    cleaned up after the container, or somebody has looked; never if that process cannot run.
    """
    pause = _POLL[0]
    while True:
        container.reload()
        state = container.attrs["State"]
        if not state["Running"]:
            return int(state["ExitCode"])
        time.sleep(pause)
        pause = min(pause * 1.1, _POLL[1])


def remove_sharing(client: "DockerClient", network: str) -> None:
    """Remove the containers that share a container's network, and that one."""
    from docker.errors import NotFound

    for container in client.containers.list(all=True, filters={"label": f"{NETWORK}={network}"}):
        with suppress(NotFound):
            container.remove(force=True)
    with suppress(NotFound):
        client.containers.get(network).remove(force=True)


def sweep(client: "DockerClient") -> None:
    """Remove containers whose holder has been killed: those in another's network first."""
    found = client.containers.list(all=True, filters={"label": OWNER})
    for container in sorted(found, key=lambda one: not one.labels.get(NETWORK)):
        if not still_held(container.labels[OWNER]):
            container.remove(force=True)


def owner_mark() -> str:
    """This process as "NAMESPACE PID START", so that no other with its number is taken for it."""
    return f"{_numbering()} {os.getpid()} {_started(os.getpid())}"


def still_held(mark: str) -> bool:
    """Whether the process of an `owner_mark` lives; one in another PID namespace cannot be seen, and may."""
    numbering, pid, began = mark.split(" ")
    return numbering != _numbering() or _started(int(pid)) == began


def _numbering() -> str:
    return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (not a path: "pid:[4026532281]")


def _started(pid: int) -> str:
    """When it was started; "" for none, and for one that has ended and that nobody has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _program(requested: Requested, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry point and the command that the engine is given."""
    if not requested.waits:
        given = {"entrypoint": list(requested.entry), "command": list(requested.command)}
        return {key: words for key, words in given.items() if words}
    own = requested.command or tuple(config.get("Cmd") or ())
    program = (*(config.get("Entrypoint") or ()), *own)
    if not program:
        raise InputError.at("--image", f"{requested.image} has no command of its own", "give one after --")
    return {"entrypoint": list(_WAITING), "command": list(program)}


def _words(refused: Any) -> str:
    return str(refused.explanation or refused)
