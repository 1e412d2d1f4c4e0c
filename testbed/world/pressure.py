"""How busy the machine was while something was measured: a timer that is known, and what the kernel says.

A process that gets no processor is late, and from outside a late answer looks like a slow network. A process
of its own sleeps for a known time, again and again, and notes how late it wakes. Where the kernel counts
pressure (PSI), the share of time in which some process waited for a processor is noted too.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_TICK = 0.02  # seconds; our choice
# Our choice. On two processors, a run of eight operators alone has 0.03 s and 0.08, eight such runs at once
# 0.16 s or more and 0.47 or more, and some of them measure wrongly.
_LATEST, _LATE = 0.1, 0.25
_FOR_SURE = 1.0  # seconds that no program shrugs off
_PSI = Path("/proc/pressure/cpu")
_LOAD = Path("/proc/loadavg")
FILE = "pressure.json"


@dataclass(frozen=True, slots=True)
class Pressure:
    """What was measured. Shares are of the time."""

    seconds: float
    latest: float  # the timer's longest delay, seconds
    late: float  # its delays together, as a share
    waiting: float | None  # share in which some process of the machine waited for a processor; None: no PSI
    runnable: float  # processes that ran or waited for a processor, on average, for each processor

    @property
    def busy(self) -> bool:
        """Whether it could have changed a result."""
        return self.latest >= _LATEST or self.late >= _LATE

    @property
    def stalled(self) -> bool:
        """Whether it will have changed what any program saw."""
        return self.latest >= _FOR_SURE

    def __str__(self) -> str:
        waiting = "" if self.waiting is None else f", processes waited in {self.waiting:.0%} of the time"
        return (
            f"this machine was busy: a timer came up to {self.latest:.2f} s late, "
            f"{self.runnable:.1f} processes for each processor{waiting}"
        )

    @classmethod
    def read(cls, run: Path) -> "Pressure | None":
        """What the timer of the run in this folder wrote; None if it wrote nothing."""
        try:
            return cls(**json.loads((run / FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def service(run: Path) -> Callable[[Callable[[], None]], None]:
    """The timer, for `Children.spawn`. At its end it writes RUN/pressure.json."""
    return lambda ready: _measure(run / FILE, ready)


def _measure(file: Path, ready: Callable[[], None]) -> None:
    asked, end = {signal.SIGTERM}, None
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)  # it ends the sleep, and nothing else
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waited, began, latest, late, runnable, ticks = _waited(), time.monotonic(), 0.0, 0.0, 0, 0
    ready()
    while end is None:
        due = time.monotonic() + _TICK
        end = signal.sigtimedwait(asked, _TICK)
        delay = max(0.0, time.monotonic() - due)
        latest, late, ticks = max(latest, delay), late + delay, ticks + 1
        runnable += _running()
    seconds = max(time.monotonic() - began, _TICK)
    after = _waited()
    share = None if waited is None or after is None else min(1.0, (after - waited) / seconds)
    processors = len(os.sched_getaffinity(0))
    found = Pressure(seconds, latest, late / seconds, share, runnable / max(ticks, 1) / processors)
    file.write_text(json.dumps({name: _rounded(value) for name, value in asdict(found).items()}) + "\n")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _waited() -> float | None:
    """Seconds since boot in which some process waited for a processor."""
    with suppress(OSError, ValueError, IndexError):
        return int(_PSI.read_text("ascii").split("total=")[1].split()[0]) / 1e6
    return None


def _running() -> int:
    """Processes that run or wait to, without this one."""
    with suppress(OSError, ValueError, IndexError):
        return max(0, int(_LOAD.read_text("ascii").split()[3].partition("/")[0]) - 1)
    return 0
