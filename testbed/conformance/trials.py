"""Steps that repeat a flow many times and count how often the box let it through."""

import math
from dataclasses import dataclass, replace

from testbed.conformance.packets import TCP
from testbed.conformance.steps import Finding
from testbed.conformance.talk import Header, Talk, seen

_SURE = 4.0  # standard deviations; a right box fails one run in 16,000


def bounds(share: float, trials: int) -> tuple[float, float]:
    """Where a share of successes of so many trials lies, almost surely (normal approximation)."""
    spread = _SURE * math.sqrt(share * (1 - share) / trials)
    return max(0.0, share - spread), share + spread


@dataclass(frozen=True, slots=True)
class Trials:
    """`count` flows: L sends `payload`, R answers; a success is a flow that stays untouched."""

    payload: bytes
    count: int
    least: float  # share of successes
    most: float
    answers: int = 1  # packets of R that must pass for a success

    def run(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        return self._judged(talk, self.least, self.most)

    def free(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        return replace(self, count=200)._judged(talk, 1.0, 1.0)

    def _judged(self, talk: Talk, least: float, most: float) -> Finding:
        passed = 0
        first = talk.sport
        for number in range(self.count):
            talk.renew(protocol=TCP, sport=1024 + (first + number) % 64000)
            fine = seen(talk, "L", talk.packet("L", self.payload, "PA", Header())).untouched
            for _ in range(self.answers):
                fine = seen(talk, "R", talk.packet("R", b"data", "PA", Header())).untouched and fine
                if not fine:
                    break
            passed += fine
        share = passed / self.count
        words = f"{passed} of {self.count} flows got through ({share:.3%})"
        held = least <= share <= most
        return Finding(held, words if held else f"{words} (expected: {least:.3%} to {most:.3%})")


@dataclass(frozen=True, slots=True)
class Pairs:
    """One flow to each of many servers, twice: some are filtered, others not, the same ones both times."""

    payload: bytes
    servers: tuple[str, ...]
    least: float  # share that is not filtered
    most: float

    def run(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        first, second = self._once(talk), self._once(talk)
        free = sum(first) / len(first)
        same = sum(a == b for a, b in zip(first, second, strict=True))
        words = f"{sum(first)} of {len(first)} servers reached unfiltered; {same} the same a second time"
        held = self.least <= free <= self.most and same == len(first)
        return Finding(
            held, words if held else f"{words} (expected: {self.least:.1%} to {self.most:.1%}, all)"
        )

    def free(self, talk: Talk) -> Finding:
        """See `steps.Step`."""
        passed = self._once(talk)
        return Finding(all(passed), f"{sum(passed)} of {len(passed)} servers reached unfiltered")

    def _once(self, talk: Talk) -> list[bool]:
        fates = []
        for server in self.servers:
            talk.renew(protocol=TCP, right=server)
            seen(talk, "L", talk.packet("L", self.payload, "PA", Header()))
            fates.append(seen(talk, "R", talk.packet("R", b"data", "PA", Header())).untouched)
        return fates
