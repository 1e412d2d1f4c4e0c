"""No other way: the client connects by itself, as with another resolver or another ClientHello."""

from dataclasses import dataclass
from typing import ClassVar, Final

from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class Unchanged(ClientWay):
    """The client connects by itself, and there is no tool beside it."""

    needs_tool: ClassVar[bool] = False


UNCHANGED: Final = Unchanged()
