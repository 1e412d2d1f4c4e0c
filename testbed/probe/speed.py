"""The speed of a bulk transfer, without the burst that a token bucket lets through first."""

import time
from typing import Literal

from testbed.measurement.ooni import TransferSpeed
from testbed.probe.log import MeasurementLog

BULK_BOUND = 8.0  # s; a bulk transfer is stopped then. Our choice: some 140 kB at 140 kbit/s
SLOW_SHARE = 0.3  # of a control; below it a transfer is throttled, as in testbed.truth.classify. Our choice
_SETTLE = 1.0  # s left out of the rate: by then the bucket is empty (CP21: 16 KB in the first 100 ms)
_LONG = 3.0  # s; shorter transfers are averaged as a whole
_APART = 0.02  # s between two samples
_FEW = 4  # samples; fewer do not define a line


class Speedometer:
    """Samples how many bytes have crossed the wire, and when."""

    def __init__(self, log: MeasurementLog, direction: Literal["down", "up"]) -> None:
        self.log, self.direction = log, direction
        self._begun = time.monotonic()
        self._samples = [(0.0, 0)]  # seconds since the request, bytes in all
        self._last = (0.0, 0)

    def reached(self, size: int) -> None:
        """`size` bytes in all have crossed the wire by now."""
        if size == self._last[1]:
            return
        self._last = (time.monotonic() - self._begun, size)
        at = self._samples[-1][0]
        if self._last[0] - at >= _APART:
            self._samples.append(self._last)
        else:  # packets that arrive together are one sample
            self._samples[-1] = (at, size)

    def moving(self, silence: float) -> bool:
        """Whether anything arrived lately: in the last `silence` seconds, half of the bound at most.

        However patient the probe is, what stopped soon after the request has not moved until the end.
        """
        since = time.monotonic() - self._begun - self._last[0]
        return bool(self._last[1]) and since < min(silence, BULK_BOUND / 2)

    def close(self, *, complete: bool) -> None:
        """Log the speed; bits_per_second leaves the first burst out, overall_ does not."""
        seconds = max(self._last[0] if complete else time.monotonic() - self._begun, 1e-6)
        size = self._last[1]
        overall = 8 * size / seconds
        self.log.speed = TransferSpeed(
            direction=self.direction,
            bytes=size,
            seconds=round(seconds, 6),
            bits_per_second=round(self._settled(seconds, size) if seconds >= _LONG else overall),
            overall_bits_per_second=round(overall),
            complete=complete,
        )

    def _settled(self, seconds: float, size: int) -> float:
        """Slope of the line through the samples (least squares): a burst at either end has little weight."""
        first = next((t for t, n in self._samples if n), 0.0)
        late = [(t, n) for t, n in self._samples if t >= first + _SETTLE]
        if len(late) < _FEW or late[-1][0] - late[0][0] < _SETTLE:
            return 8 * size / seconds
        from statistics import linear_regression  # slow to load, and few measurements need it

        slope, _ = linear_regression(*zip(*late, strict=True))
        return max(0.0, 8 * slope)
