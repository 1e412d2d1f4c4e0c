"""A container as a service: an image, what runs in it, and how one knows that it serves."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, NoReturn, Protocol, Self

from testbed.censor.units import Form
from testbed.internet.services.base import Listener, Place, ReportReady, Service
from testbed.internet.services.command import Readiness

if TYPE_CHECKING:
    from pathlib import Path

ANY_PORT: Final = Readiness()  # it listens

ContainerName = Annotated[str, Form("[a-z0-9][a-z0-9-]{0,62}", "a host name", "proxy")]
VariableSetting = Annotated[str, Form("[A-Za-z_][A-Za-z0-9_]*(=.*)?", "a variable", "COLOUR=green")]


@dataclass(frozen=True, slots=True)
class ContainerOrder:
    """What a container's engine is asked for."""

    image: str
    command: tuple[str, ...]  # after the image's entry point; (): the image's own
    entry: tuple[str, ...]  # instead of the image's entry point; (): the image's own
    volumes: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]  # name in the folder that it sees -> content
    mounts: Mapping[str, str]  # a file's path in the container -> its name in that folder
    log: str  # where its output is appended


class RunningContainer(Protocol):
    """A container that was asked for."""

    def fileno(self) -> int:
        """Readable when the container has ended."""
        ...

    def status(self) -> int:
        """Its exit status, once it has ended."""
        ...

    def stop(self) -> None:
        """End it and remove it."""
        ...


StartContainer = Callable[[ContainerOrder], RunningContainer]


@dataclass(frozen=True, slots=True)
class Container(Service):
    """A container in the host's network. It MUST stay: its end is a failure of the run.

    All containers and commands of a place share its network, as those of a pod do. Its output goes to the
    host's log.
    """

    key: ClassVar[str] = "container"

    image: str  # that this machine has: nothing is fetched
    run: str = ""  # for the image's /bin/sh; without it, the image's own program
    arguments: tuple[str, ...] = ()  # of the image's own program
    name: ContainerName = ""  # by which containers and commands of the place find it
    ready: Readiness = ANY_PORT
    volumes: tuple[str, ...] = ()  # "HERE:THERE[:ro]", HERE relative to the file that names the container
    environment: tuple[VariableSetting, ...] = ()  # "NAME=VALUE", or "NAME" for the value that it has here

    def __post_init__(self) -> None:
        """ValueError for what cannot be."""
        if not self.image.strip():
            raise ValueError("the image is empty")
        if self.run and self.arguments:
            raise ValueError(
                "'run' takes the place of the image's program, which 'arguments' are for: give one"
            )
        if self.ready.file is not None:
            raise ValueError("a container's files are not seen from outside: wait for tcp, udp or output")

    @property
    def start_within(self) -> float:
        """Seconds until it must be ready."""
        return self.ready.within

    def ports(self) -> tuple[Listener, ...]:
        """The program opens its own."""
        return ()

    def shown_by(self) -> tuple[Listener, ...]:
        """The port of its readiness, if it has one."""
        return self.ready.listeners()

    def beside(self, folder: "Path") -> Self:
        """The same with volumes that begin with "./" or "../" below `folder`."""
        placed = (
            os.path.normpath(folder / one.partition(":")[0]) + "".join(one.partition(":")[1:])
            if one.startswith(("./", "../"))
            else one
            for one in self.volumes
        )
        return replace(self, volumes=tuple(placed))

    def start(self, place: Place, ready: ReportReady) -> NoReturn:
        """Run the container until SIGTERM."""
        from testbed.internet.launchcontainer import run_container

        run_container(self, place, ready)
