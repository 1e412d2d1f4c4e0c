"""Types of the values in policies. The scenario loader parses and checks text by them ("140 kbit/s")."""

from dataclasses import dataclass
from typing import Annotated, Literal, NewType

Seconds = NewType("Seconds", float)
BitsPerSecond = NewType("BitsPerSecond", float)
Octets = NewType("Octets", int)  # bytes on the wire, IP header included
Share = NewType("Share", float)  # 0..1


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a number, both included: `Annotated[int, Between(1, 65535)]`."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class AboveZero:
    """A quantity of which there must be some: `Annotated[Seconds, AboveZero()]`."""


Span = Annotated[Seconds, AboveZero()]
"""A time without which an action would do nothing. Where 0 s means the trigger alone, it is `Seconds`."""

PacketCount = Annotated[int, Between(0, 1_000_000)]
HeaderWord = Annotated[int, Between(0, 65535)]
"""16 bits of a header: IP-ID, window, length."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """A pair whose first is not more than its second: `Annotated[tuple[int, int], InOrder()]`."""


@dataclass(frozen=True, slots=True)
class AddressOf:
    """A text that is an IP address of this version: `Annotated[str, AddressOf(4)]`."""

    version: Literal[4, 6]


@dataclass(frozen=True, slots=True)
class Form:
    """How a text must look: `Annotated[str, Form("[0-9a-f]+", "hexadecimal", "d00d")]`."""

    pattern: str  # a regular expression that the whole text must match
    what: str  # what such a text is, with its article
    example: str
