"""Any program as a server: a command line, and how one knows that it serves."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn, Self

from testbed.censor.units import Seconds
from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service

if TYPE_CHECKING:
    from pathlib import Path


StopSignal = Literal["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a program serves: one of four signs, and how long to wait for it."""

    tcp: PortNumber | None = None  # something listens on this port
    udp: PortNumber | None = None
    file: str | None = None  # the program has written this file (relative to its folder)
    output: str | None = None  # a line of its output contains this regular expression
    within: Seconds = Seconds(10)  # our choice

    def listeners(self) -> tuple[Listener, ...]:
        """The port that shows it, if one does."""
        given: tuple[tuple[Literal["tcp", "udp"], int | None], ...]
        given = (("tcp", self.tcp), ("udp", self.udp))
        return tuple((transport, port) for transport, port in given if port is not None)

    def __post_init__(self) -> None:
        """ValueError if there are two signs, or one that cannot be."""
        signs = [self.tcp, self.udp, self.file, self.output]
        if sum(sign is not None for sign in signs) > 1:
            raise ValueError("a command has one sign of readiness: tcp, udp, file or output")
        if self.within <= 0:
            raise ValueError("'within' must be more than 0")
        try:
            re.compile(self.output or "")
        except re.error as error:
            raise ValueError(f"{self.output!r} is not a regular expression: {error}") from error

    def __str__(self) -> str:
        """What is waited for, in words."""
        if self.tcp is not None or self.udp is not None:
            return f"something listens on {'TCP' if self.udp is None else 'UDP'} port {self.tcp or self.udp}"
        if self.file is not None:
            return f"the file {self.file} is written"
        if self.output is not None:
            return f"a line of output contains {self.output!r}"
        return "it listens on a TCP or UDP port"


@dataclass(frozen=True, slots=True)
class Command(Service):
    """A program by its shell command line. It MUST stay in the foreground: its end is a failure of the run.

    It runs in the host's network namespace with the host's resolver and authorities, and finds in its
    environment TESTBED_HOST, TESTBED_IPV4, TESTBED_IPV6 and the files TESTBED_CHAIN, TESTBED_KEY, TESTBED_CA.
    Its output goes to the host's log.
    """

    key: ClassVar[str] = "command"

    run: str  # for /bin/sh
    ready: Readiness = Readiness()
    folder: str = "."  # working folder, relative to the file that names the command
    stop: StopSignal = "SIGTERM"  # what asks it to end

    def __post_init__(self) -> None:
        """ValueError if there is nothing to run."""
        if not self.run.strip():
            raise ValueError("the command is empty")

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
        """The same with its working folder below `folder`. ValueError if there is none."""
        if not (folder / self.folder).is_dir():
            raise ValueError(
                f"there is no folder {self.folder!r} beside the file; make it, or leave 'folder' out"
            )
        return replace(self, folder=str(folder / self.folder))

    def start(self, place: Place, ready: ReportReady) -> NoReturn:
        """Run the program until SIGTERM."""
        from testbed.internet.launch import run_program

        run_program(self, place, ready)
