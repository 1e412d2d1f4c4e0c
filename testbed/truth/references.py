"""What a measurement is compared with, where a target was measured several times from outside."""

from collections.abc import Sequence

from testbed.measurement.ooni import Measurement
from testbed.truth.classify import turned_away
from testbed.truth.timeline import Timeline


def reference(
    measurement: Measurement, number: int, outside: Sequence[Measurement], *, alike: bool = False
) -> Measurement | None:
    """For try `number` (from 0) the same try from outside, or the last; None if there is none.

    `alike`: if possible one that failed or worked as this try did. A server that is known to fail at times
    fails outside at times, too, so that a try that meets that is no sign of a filter.
    """
    if not outside:
        return None
    same = outside[min(number, len(outside) - 1)]
    failed = _failed(measurement)
    if not alike:
        return same
    return next((one for one in (same, *outside) if _failed(one) == failed), same)


def serves_inside_only(outside: Sequence[Measurement], inside: Sequence[Measurement]) -> bool:
    """Whether the server turns away whoever is outside, every time, and serves somebody at an operator."""
    served = [one for one in inside if any(turned_away(other, one) for other in outside)]
    return bool(served) and all(turned_away(one, served[0]) for one in outside)


def _failed(measurement: Measurement) -> bool:
    return Timeline(measurement).failure is not None
