"""When each packet leaves a link, or that it is lost. Pure: time is a parameter, draws come from the seed."""

import random

from testbed.model import LinkQuality


class Schedule:
    """One direction of one link.

    What happens to the n-th packet depends on the seed, the link and n alone: the same traffic loses the same
    packets.
    """

    def __init__(self, quality: LinkQuality, seed: int, link: str) -> None:
        self._quality = quality
        self._chance = random.Random(f"{seed}/{link}")
        self._last = 0.0

    def release(self, now: float) -> float | None:
        """When the packet that arrives at `now` (seconds) leaves; None if it is lost.

        Packets are not reordered: one that drew less jitter than the one before it leaves right after it.
        """
        lost = self._chance.random() < self._quality.loss
        spread = self._chance.uniform(-1.0, 1.0) * self._quality.jitter
        if lost:
            return None
        self._last = max(self._last, now + max(0.0, self._quality.delay + spread))
        return self._last
