"""What a service of the far side is: a frozen dataclass of parameters that says where it listens and serves.

To add one, add a file with one class to this package, or keep it beside a scenario. The
class gives a `key`, its parameters as typed fields (`PortNumber`, `Seconds`, … as techniques do), `ports` and
`serve`. A service module MUST be cheap to import, because checking a scenario imports all of them: load
servers and libraries inside `serve`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NoReturn, Self

from testbed.censor.units import Between

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from testbed.internet.services.container import StartContainer
    from testbed.internet.zone import Zone
    from testbed.model import Host

PortNumber = Annotated[int, Between(1, 65535)]
Listener = tuple[Literal["tcp", "udp"], int]  # transport and port
Certified = Literal["no", "names", "names and addresses"]
ReportReady = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service serves, and what it may use there."""

    host: "Host"
    addresses: tuple[str, ...]  # of the host, IPv4 first; a public host has them in `host` too
    sockets: Mapping[Listener, tuple["socket", ...]]  # open already: one per address, in their order
    certificate: tuple[str, str] | None  # files of chain and key (PEM), for a service that needs one
    zone: Callable[[], "Zone"]  # the names of the world; built on first use, once per process
    environment: Mapping[str, str] = field(default_factory=dict)  # of programs that the service starts
    log: "Path | None" = None  # where standard output and error go
    start_container: "StartContainer | None" = None  # in its network; None: no engine
    country_of: Callable[[str], str] = field(default=lambda _: "")  # of a client's address; "": unknown


@dataclass(frozen=True, slots=True)
class Service(ABC):
    """One server program of a host."""

    key: ClassVar[str] = ""  # how a file names it: "dns"
    certificate: ClassVar[Certified] = "no"  # whether it needs the host's, and what that must name
    late: ClassVar[bool] = False  # slow to load and rarely used: loaded once something arrives for it

    @property
    def start_within(self) -> float:
        """Seconds until it must be ready: our choice, generous for machines under load."""
        return 30.0

    @abstractmethod
    def ports(self) -> tuple[Listener, ...]:
        """What it listens on, at every address of its host. The sockets are opened before `serve`."""

    def names_besides(self) -> tuple[str, ...]:
        """Names of others that the host's certificate has, too."""
        return ()

    def shown_by(self) -> tuple[Listener, ...]:
        """What it opens itself, and whose opening shows that it is ready: nothing else may listen there."""
        return ()

    def beside(self, folder: "Path") -> Self:
        """The same for a file in `folder`: a service that names files finds them there."""
        return self

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Serve on `place.sockets` forever. MUST call `ready` once, when it answers; MUST NOT return.

        An exception ends the process and makes the run invalid. Connections that clients or censors break
        are no errors.
        """
        raise NotImplementedError(f"the service {self.key!r} does not implement serve")

    def start(self, place: Place, ready: ReportReady) -> NoReturn:
        """Serve until SIGTERM in a process of its own, then leave it with status 0."""
        from testbed.internet.service import run_service

        run_service(lambda ready: self.serve(place, ready), ready)
