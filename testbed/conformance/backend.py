"""Where a dialogue runs: L, some routers, R, and at some routers boxes. Without a kernel: the core alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Verdict
from testbed.censor.policy import Policy
from testbed.censor.softkernel import SoftKernel
from testbed.conformance.packets import with_ttl

Who = Literal["L", "R"]
HOPS: Final = 4  # routers of an operator
ABROAD: Final = HOPS + 2  # routers between L and a foreign R: the backbone and one transit router, too
DOMESTIC: Final = 2 * HOPS + 1  # between subscribers of two operators
L_ADDRESS: Final = "213.87.0.100"
R_ADDRESS: Final = "104.244.42.1"
NEIGHBOUR: Final = "213.87.1.100"  # a subscriber of the second operator
_STEP: Final = 0.0001  # s between packets on the core
_OTHER: Final[dict[Who, Who]] = {"L": "R", "R": "L"}


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


class CoreBackend:
    """The core and the soft kernel, on a simulated clock that rates and timers share."""

    def __init__(self, boxes: Sequence[Box], routers: int, seed: int) -> None:
        self.routers = routers
        self._now = 0.0
        self._boxes: dict[int, list[tuple[SoftKernel, Who]]] = {}
        self._delayed: list[tuple[float, bytes, Who, int]] = []  # until when, and where it then goes on
        for box in boxes:
            kernel = SoftKernel(Censor(box.policy, seed), box.policy)
            self._boxes.setdefault(box.router(routers), []).append((kernel, box.inside))

    def send(self, who: Who, packets: Sequence[bytes]) -> Wire:
        """See `Backend`. A packet that a box delays arrives with a later `late`."""
        wire = Wire()
        for packet in packets:
            self._now += _STEP
            self._travel(packet, who, 1 if who == "L" else self.routers, wire)
        return wire

    def wait(self, seconds: float) -> None:
        """See `Backend`."""
        self._now += seconds

    pause = wait

    def clock(self) -> float:
        """See `Backend`."""
        return self._now

    def late(self) -> Wire:
        """See `Backend`: what a box has delayed until now."""
        wire = Wire()
        due = [one for one in self._delayed if one[0] <= self._now]
        self._delayed = [one for one in self._delayed if one[0] > self._now]
        for _, raw, who, router in sorted(due, key=lambda one: one[0]):
            self._travel(raw, who, router, wire)
        return wire

    def _travel(self, raw: bytes, who: Who, router: int, wire: Wire) -> None:
        """Forward from `router`, away from `who`: a router decrements the TTL, its boxes decide in turn."""
        step = 1 if who == "L" else -1
        ttl = raw[8]
        while 1 <= router <= self.routers:
            if ttl <= 1:
                return
            ttl -= 1
            boxes = self._boxes.get(router)
            if not boxes:
                router += step
                continue
            raw = with_ttl(raw, ttl)
            for kernel, inside in boxes if who == "L" else reversed(boxes):
                direction = Direction.UP if who == inside else Direction.DOWN
                decision = kernel.process(raw, direction, self._now).decision
                for made in decision.inject:
                    sender = inside if made.toward is Direction.UP else _OTHER[inside]
                    self._travel(made.packet, sender, router + (1 if sender == "L" else -1), wire)
                if decision.verdict is Verdict.DROP:
                    return
                if decision.packet is not None:
                    raw = decision.packet
                    ttl = raw[8]
                if decision.release_at is not None and decision.release_at > self._now:
                    self._delayed.append((decision.release_at, raw, who, router + step))
                    return
            router += step
        wire.at[_OTHER[who]].append(raw if raw[8] == ttl else with_ttl(raw, ttl))
