"""Time that is counted and not waited for: events in the order of their times."""

import heapq
from collections.abc import Callable
from itertools import count


class Agenda:
    """What is to happen when. Events at one time happen in the order in which they were entered."""

    def __init__(self) -> None:
        self.now = 0.0  # seconds
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Do `act` at `time`, or now if that is past."""
        heapq.heappush(self._events, (max(time, self.now), next(self._number), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do `act` in so many seconds."""
        time = self.now + seconds if seconds > 0 else self.now
        heapq.heappush(self._events, (time, next(self._number), act))

    def wait(self, done: Callable[[], bool], until: float) -> bool:
        """Let events happen until `done()` or the time `until`; whether it is done."""
        events = self._events
        while not done():
            if not events or events[0][0] > until:
                self.now = max(self.now, until)
                return False
            time, _, act = heapq.heappop(events)
            self.now = max(self.now, time)
            act()
        return True
