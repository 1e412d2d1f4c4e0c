"""The backend without a kernel: the core and the soft kernel, on a simulated clock."""

from collections.abc import Sequence
from typing import Final

from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Verdict
from testbed.censor.softkernel import SoftKernel
from testbed.conformance.backend import Box, Who, Wire
from testbed.conformance.packets import with_ttl

_STEP: Final = 0.0001  # s between packets
_OTHER: Final[dict[Who, Who]] = {"L": "R", "R": "L"}


class CoreBackend:
    """Carries each packet from router to router, past their boxes; rates and timers share one clock."""

    def __init__(self, boxes: Sequence[Box], routers: int, seed: int) -> None:
        self.routers = routers
        self._now = 0.0
        self._boxes: dict[int, list[tuple[SoftKernel, Who]]] = {}
        for box in boxes:
            kernel = SoftKernel(Censor(box.policy, seed), box.policy)
            self._boxes.setdefault(box.router(routers), []).append((kernel, box.inside))

    def send(self, who: Who, packets: Sequence[bytes]) -> Wire:
        """See `Backend`. A packet that a shaper delays counts as arrived."""
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
        """See `Backend`: on the core everything arrives at once."""
        return Wire()

    def _travel(self, raw: bytes, who: Who, router: int, wire: Wire) -> None:
        """Forward from `router`, away from `who`: a router decrements the TTL, its boxes decide in turn."""
        step = 1 if who == "L" else -1
        while 1 <= router <= self.routers:
            ttl = raw[8]
            if ttl <= 1:
                return
            raw = with_ttl(raw, ttl - 1)
            boxes = self._boxes.get(router, [])
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
            router += step
        wire.at[_OTHER[who]].append(raw)
