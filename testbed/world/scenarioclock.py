"""The scenario's own date and time, in every process of a world."""

import mmap
import struct
import time
from datetime import UTC, datetime

_READING = struct.Struct("=5d")  # monotonic s, scenario s since 1970, speed, scenario s of the end, skipped s
_FIRST = struct.Struct("=q")  # which of the two readings holds


class ScenarioClock:
    """Shared with every process that is forked after it was made; one of them sets it, all may read it.

    It runs at `speed` from the moment it was set to, and stops at `until`: what happens while a phase is
    overdue belongs to that phase. Unset, it has no time.
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        _FIRST.pack_into(self._shared, 0, -1)

    def set(
        self, moment: datetime, *, speed: float = 1.0, until: datetime | None = None, skipped: float = 0.0
    ) -> None:
        """It is `moment` now. `skipped`: seconds that the scenario has leapt over since the last setting."""
        which, total = _FIRST.unpack_from(self._shared, 0)[0], self.skipped
        end = float("inf") if until is None else until.timestamp()
        reading = time.monotonic(), moment.timestamp(), speed, end, total + skipped
        other = 1 - max(which, 0)
        _READING.pack_into(self._shared, _place(other), *reading)  # readers never see it half written
        _FIRST.pack_into(self._shared, 0, other)

    @property
    def skipped(self) -> float:
        """Seconds leapt over in all: the age that timers have gained besides their own time."""
        reading = self._reading()
        return reading[4] if reading else 0.0

    def now(self) -> datetime | None:
        """The scenario's time, UTC; None until it is set."""
        return self.at(time.monotonic())

    def at(self, monotonic: float) -> datetime | None:
        """The scenario's time at a monotonic time since it was set."""
        reading = self._reading()
        if reading is None:
            return None
        real, moment, speed, end, _ = reading
        return datetime.fromtimestamp(min(end, moment + (monotonic - real) * speed), UTC)

    def text(self) -> str:
        """The scenario's time in ISO 8601, "2022-03-04T08:00:01.250Z"; "" until it is set."""
        now = self.now()
        return "" if now is None else iso(now)

    def _reading(self) -> tuple[float, ...] | None:
        which = _FIRST.unpack_from(self._shared, 0)[0]
        return None if which < 0 else _READING.unpack_from(self._shared, _place(which))


def iso(moment: datetime) -> str:
    """A time in ISO 8601, UTC: whole seconds without a fraction, others with milliseconds."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _place(which: int) -> int:
    return _FIRST.size + which * _READING.size
