"""Where a dialogue takes place: L, some routers, R; at some of the routers a box."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from testbed.censor.policy import Policy

Who = Literal["L", "R"]
HOPS: Final = 4  # routers of an operator
ABROAD: Final = HOPS + 1  # routers between L and a foreign R
DOMESTIC: Final = 2 * HOPS + 1  # between subscribers of two operators
L_ADDRESS: Final = "213.87.0.100"
R_ADDRESS: Final = "104.244.42.1"
NEIGHBOUR: Final = "213.87.1.100"  # a subscriber of the second operator


@dataclass(frozen=True, slots=True)
class Box:
    """One censor at a router: `hop` counts from the host on its inside."""

    policy: Policy
    hop: int = 2  # within the first five (IMC21 §6.4)
    inside: Who = "L"

    def router(self, routers: int) -> int:
        """Its place, counted from L, the first router being 1."""
        return self.hop if self.inside == "L" else routers + 1 - self.hop


@dataclass(slots=True)
class Wire:
    """What arrived at the two ends, in order."""

    at: dict[Who, list[bytes]] = field(default_factory=lambda: {"L": [], "R": []})


class Ground(Protocol):
    """Something that carries packets past the boxes."""

    routers: int

    def send(self, who: Who, packets: Sequence[bytes]) -> Wire:
        """Send these IPv4 packets from one end, one after the other; what both ends then hear."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass by the censor's clock."""
        ...

    def pause(self, seconds: float) -> None:
        """Let real time pass, in which rates are counted."""
        ...

    def clock(self) -> float:
        """Real seconds."""
        ...

    def late(self) -> Wire:
        """What still arrives when the dialogue is over: nothing should."""
        ...
