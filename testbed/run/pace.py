"""How the scenario's clock goes through a story, and how the world changes with it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from testbed.run.events import rules_matched
from testbed.run.laboratory import Laboratory
from testbed.run.records import PhaseRecord
from testbed.run.session import Session, rules_fired
from testbed.scenario.story import PhaseSpan, Story
from testbed.world import interrupt
from testbed.world.scenarioclock import iso

_LATE = 0.5  # s that a phase may be late without a word: as long as a change of phase takes; our choice
_INSTANT = timedelta(milliseconds=1)  # the clock stands still this long before a phase that is late


@dataclass(slots=True)
class Pace:
    """One way through a story, from its first phase to its last, in one world.

    With a speed the clock goes evenly, as many seconds of the scenario in each real one. Without, it goes
    with real time and leaps from the end of what is done in a phase to the next; what the censors remember
    ages by what it leaps over. Either way the clock shows no time of a phase before that has begun.
    """

    story: Story
    speed: float | None
    session: Session
    laboratory: Laboratory
    records: list[PhaseRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _number: int = 0  # of the phase that holds, from 1
    _slowest: tuple[float, str] | None = None  # the speed that would have been kept in a phase that was late
    _begun: float = 0.0  # monotonic
    _started: float = 0.0  # seconds since the epoch
    _events: int = 0  # size of events.jsonl when the phase began

    @property
    def span(self) -> PhaseSpan:
        """The phase that holds."""
        return self.story.spans[self._number - 1]

    @property
    def over(self) -> bool:
        """Whether the last phase holds."""
        return self._number == len(self.story.spans)

    @property
    def part(self) -> str:
        """The phase's folder below receipts/."""
        return f"{self._number}-{self.span.phase}"

    def begin(self) -> None:
        """Begin the next phase, or the first."""
        self._number += 1
        if self._number > 1:
            self.laboratory.begin_phase(self.span.phase)
        date = self.session.date
        assert date is not None, "a timeline has a clock"
        date.set(self.span.start, speed=self.speed or 1.0, until=self.span.end - _INSTANT)
        self._begun, self._started = time.monotonic(), time.time()
        self._events = self.session.folder.events.stat().st_size

    def left(self) -> float:
        """Real seconds until the phase ends; less than 0 if it is late. Without a speed: 0."""
        if self.speed is None:
            return 0.0
        return self._begun + self.span.seconds / self.speed - time.monotonic()

    def wait(self) -> None:
        """Wait for the end of the phase; take note if it has come already."""
        left = self.left()
        if left > 0:
            interrupt.sleep(left)
        elif self.speed is not None and left < -_LATE:
            possible = self.span.seconds / (time.monotonic() - self._begun)
            if self._slowest is None or possible < self._slowest[0]:
                self._slowest = possible, self.span.phase

    def end(self) -> dict[str, Any]:
        """End the phase; the censors' receipts for it, which are moved into its folder."""
        session, span = self.session, self.span
        following = None if self.over else self.story.spans[self._number]
        if following is not None and self.speed is None and session.date is not None:
            now = session.date.now()
            assert now is not None, "it was set when the phase began"
            skipped = max(0.0, (following.start - now).total_seconds())
            session.date.set(now, speed=0.0, skipped=skipped)
        broken = self.laboratory.end_phase(following.phase if following else None)
        receipts = session.folder.receipts()
        session.folder.move_receipts(self.part)
        self.problems += [f"phase {span.phase}: {problem}" for problem in broken]
        self.records.append(
            PhaseRecord(
                phase=span.phase,
                part=self.part,
                started=self._started,
                seconds=round(time.time() - self._started, 3),
                commands=0,
                fired=rules_fired(receipts, session)[0],
                matched=rules_matched(session.folder.events, self._events),
                begins=iso(span.start),
                ends=iso(span.end),
                problems=tuple(broken),
            )
        )
        return receipts

    def notes(self) -> list[str]:
        """A speed that could not be kept, and the one that can; phases that have no date."""
        said = []
        if self.story.left_out:
            said.append(f"without a date, and so left out: {', '.join(self.story.left_out)}")
        if self._slowest is not None:
            possible, phase = self._slowest
            said.append(
                f"this machine cannot keep --speed {self.speed:g}: in phase {phase} the clock stood still "
                f"until all was done; it can keep --speed {_two_digits(possible):g}"
            )
        return said


def _two_digits(speed: float) -> float:
    """The speed, rounded down."""
    if speed < 1:
        return speed
    unit = 10 ** max(0, len(str(int(speed))) - 2)
    return float(speed // unit * unit)
