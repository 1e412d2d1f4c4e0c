"""What a link does to its packets, in their order. Pure: time comes in, and chance comes from the seed."""

import random

from testbed.scenario.model import LinkQuality


class Schedule:
    """One direction of one link: when each next packet leaves it, or that it is lost.

    The n-th packet's luck depends on the seed, the link and n alone: the same traffic loses the same packets.
    """

    def __init__(self, quality: LinkQuality, seed: int, link: str) -> None:
        self._quality = quality
        self._chance = random.Random(f"{seed}/{link}")
        self._last = 0.0

    def release(self, now: float) -> float | None:
        """When the packet that arrives `now` (seconds) leaves; None if it is lost.

        Nothing overtakes: a packet that drew less jitter than the one before leaves just behind it.
        """
        lost = self._chance.random() < self._quality.loss
        spread = self._chance.uniform(-1.0, 1.0) * self._quality.jitter
        if lost:
            return None
        self._last = max(self._last, now + max(0.0, self._quality.delay + spread))
        return self._last
