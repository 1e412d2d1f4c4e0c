"""The backend without a kernel: the core alone, on a simulated clock."""

from collections.abc import Sequence
from typing import Final

from testbed.censor.core import Censor
from testbed.censor.decision import Direction, Verdict
from testbed.conformance.backend import Box, Who, Wire
from testbed.conformance.packets import with_ttl

_STEP: Final = 0.0001  # s between packets
_OTHER: Final[dict[Who, Who]] = {"L": "R", "R": "L"}


class CoreBackend:
    """Carries each packet from router to router, past their boxes; rates and timers share one clock."""

    def __init__(self, boxes: Sequence[Box], routers: int, seed: int) -> None:
        self.routers = routers
        self._now = 0.0
        self._boxes = {
            box.router(routers): (Censor(box.policy, seed, kernel=False), box.inside) for box in boxes
        }

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
        """Forward from `router`, away from `who`: the router decrements the TTL, then its box decides."""
        step = 1 if who == "L" else -1
        while 1 <= router <= self.routers:
            ttl = raw[8]
            if ttl <= 1:
                return
            raw = with_ttl(raw, ttl - 1)
            if router in self._boxes:
                censor, inside = self._boxes[router]
                direction = Direction.UP if who == inside else Direction.DOWN
                decision = censor.process(raw, direction, self._now)
                for made in decision.inject:
                    sender = inside if made.toward is Direction.UP else _OTHER[inside]
                    self._travel(made.packet, sender, router + (1 if sender == "L" else -1), wire)
                if decision.verdict is Verdict.DROP:
                    return
                if decision.packet is not None:
                    raw = decision.packet
            router += step
        wire.at[_OTHER[who]].append(raw)
