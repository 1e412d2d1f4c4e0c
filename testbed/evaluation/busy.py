"""How late a thread of this process wakes while a detector runs: whether the machine was too busy."""

import threading
import time

from testbed.world.pressure import Pressure

_TICK = 0.02  # seconds, as the run's own timer


class Lateness:
    """Measures in a thread, between `begin` and `end`. The main thread must be waiting meanwhile."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._latest = self._late = self._began = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start to measure."""
        self._latest = self._late = 0.0
        self._began = time.monotonic()
        self._running.set()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def end(self) -> Pressure:
        """Stop; what was measured."""
        self._running.clear()
        if self._thread is not None:
            self._thread.join()
        seconds = max(time.monotonic() - self._began, _TICK)
        return Pressure(seconds, self._latest, self._late / seconds, None, 0.0)

    def _measure(self) -> None:
        while self._running.is_set():
            due = time.monotonic() + _TICK
            time.sleep(_TICK)
            delay = max(0.0, time.monotonic() - due)
            self._latest, self._late = max(self._latest, delay), self._late + delay
