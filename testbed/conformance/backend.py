"""Where a dialogue runs: L, some routers, R, and at some of the routers a box."""

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
        """Its position, counted from L; the first router is 1."""
        return self.hop if self.inside == "L" else routers + 1 - self.hop


@dataclass(slots=True)
class Wire:
    """What arrived at the two ends, in order."""

    at: dict[Who, list[bytes]] = field(default_factory=lambda: {"L": [], "R": []})


class Backend(Protocol):
    """Carries packets between L and R, past the boxes."""

    routers: int

    def send(self, who: Who, packets: Sequence[bytes]) -> Wire:
        """Send these IPv4 packets from one end, one after the other; return what both ends receive."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass on the censor's clock."""
        ...

    def pause(self, seconds: float) -> None:
        """Let real time pass, in which rates are measured."""
        ...

    def clock(self) -> float:
        """Real time, s."""
        ...

    def late(self) -> Wire:
        """What still arrives after the last step; it should be nothing."""
        ...
