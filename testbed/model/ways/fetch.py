"""By a program that fetches the target itself: a wrapper around a client, or a tool that is one."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.censor.units import Seconds
from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class Fetching(ClientWay):
    """A command fetches $TESTBED_TARGET and ends with status 0 if all of it came: `proxychains4 curl …`."""

    key: ClassVar[str] = "fetch"
    needs_tool: ClassVar[bool] = False

    run: str  # for /bin/sh, at the subscriber
    image: str = ""  # of a container at the subscriber, in which it runs
    within: Seconds = Seconds(10)  # then it is stopped; our choice

    def __post_init__(self) -> None:
        """ValueError if it does not fetch what it is asked for."""
        if "TESTBED_TARGET" not in self.run:
            raise ValueError("the command must fetch $TESTBED_TARGET")
        if self.within <= 0:
            raise ValueError("'within' must be more than 0")

    @property
    def command(self) -> str:
        """It."""
        return self.run

    @property
    def container(self) -> str:
        """Its image."""
        return self.image

    @property
    def limit(self) -> float:
        """As written."""
        return self.within
