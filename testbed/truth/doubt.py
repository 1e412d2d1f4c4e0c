"""Whether a failure is a censor's doing, or what a faulty server or a lossy line does at times as well.

One failure beside one success proves nothing: a server under load that resets three connections of ten does
that to one pair in five. So whoever blames a censor looks again, and compares three shares: how often the
target fails here; how often from outside, where only the server can be at fault; and how often the vantage's
controls do, where only the line can be. Fisher's exact test says how likely it is that all of a share's
difference is chance; it needs no share to be known. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb
from typing import Final, Literal

from testbed.measurement.ooni import Measurement, RepeatedLooks
from testbed.scenario.labels import CAUSELESS, SILENT_LABELS
from testbed.truth.outage import for_everybody

# Chance of error at which a censor is blamed, by the weaker of two comparisons: where every look agrees, and
# where they do not, after more looks. Together at most 1.1 % for each faulty site. Our choice.
ERROR: Final = 0.01
ERROR_MIXED: Final = 0.001
_WAITS: Final = frozenset({*SILENT_LABELS, "throttle", "freeze"})


@dataclass(frozen=True, slots=True)
class Weighed:
    """What repeated looks come to."""

    said: Literal["blocked", "free", "inconclusive"]
    error: float  # chance that the line or the server alone does this, by the weaker comparison
    words: str


def chance_of(failed: int, of: int, other_failed: int, of_others: int) -> float:
    """Fisher's exact test, one-sided: the chance of `failed` or more here if both fail equally often.

    Its formula is the whole implementation. Source: R. A. Fisher, Statistical Methods for Research Workers,
    5th ed. (1934), section 21.02. Without anything to compare with it is 1.
    """
    both, tried = failed + other_failed, of + of_others
    ways = sum(comb(of, n) * comb(of_others, both - n) for n in range(failed, min(of, both) + 1))
    return ways / comb(tried, both)


def weigh(looks: RepeatedLooks) -> Weighed:
    """Blocked if the target fails more often than it does outside, and more often than the controls do."""
    first = looks.here[0]
    failed = sum(one not in CAUSELESS for one in looks.here)
    counted = f"{failed} of {len(looks.here)} looks"
    worst, others = 0.0, 0
    for what, labels in (("outside", looks.outside), ("controls", looks.controls)):
        if not labels:
            continue
        alike = sum(_alike(first, one) for one in labels)
        error = chance_of(failed, len(looks.here), alike, len(labels))
        worst, others = max(worst, error), others + alike
        counted += f", {what} {alike} of {len(labels)}"
    words = f"{counted}: chance {worst:.1%}"
    agree = failed == len(looks.here) and not others
    if worst <= (ERROR if agree else ERROR_MIXED):
        return Weighed("blocked", worst, words)
    return Weighed("free" if others else "inconclusive", worst, words)


def _alike(label: str, other: str) -> bool:
    """Whether one fault may give either label: a lossy line delays and silences, and never resets."""
    if other in CAUSELESS:
        return False
    return {label, other} <= _WAITS or label.rpartition(".")[2] == other.rpartition(".")[2]


def seen_as(measurement: Measurement, label: str, controls: Iterable[str]) -> str:
    """The label of one measurement beside those of the vantage's controls."""
    if label == "throttle" and measurement.test_keys.speed is not None:
        return label  # a rate says more than how long a step took
    return for_everybody(label, controls)


def doubtful(measurement: Measurement, label: str, controls: Iterable[str]) -> bool:
    """Whether to look again: it seems to be blocked. A portal is clear: it answers for the controls, too."""
    return seen_as(measurement, label, controls) not in (*CAUSELESS, "portal")
