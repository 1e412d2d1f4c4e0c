"""A censor's events and faults, one JSON line each, into the run's event stream."""

import json
import os
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Final

from testbed.censor.decision import Event
from testbed.world.scenarioclock import ScenarioClock

_MOST_WORDS: Final = 5  # kinds of faults in the receipt; all are in the event stream
_LONGEST_WORDS: Final = 300


class EventStream:
    """Appends to a file that several processes write: one write per line, so lines never mix.

    A fault is something that must not happen (an exception, a full disk). Each is counted, the first of
    its kind is recorded with its traceback; a run with faults is invalid.
    """

    def __init__(self, path: Path, censor: str, date: ScenarioClock | None = None) -> None:
        """`date`: where the scenario has a time, each event carries it."""
        self._date = date
        self._censor = censor
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._faults: Counter[str] = Counter()
        self._words: dict[str, str] = {}

    @property
    def faults(self) -> int:
        """How many faults there were, recorded or not."""
        return self._faults.total()

    @property
    def faults_in_words(self) -> list[str]:
        """The first of each kind: "KeyError at mine.py:12: 'my bug'"."""
        return [self._words.get(kind, kind) for kind in self._faults][:_MOST_WORDS]

    def write(self, event: Event, now: float) -> None:
        """Record an event; `now` is in seconds since the run's start."""
        line = {"t": round(now, 6), "censor": self._censor, "kind": event.kind, "rule": event.rule}
        line |= {"flow": event.flow, "detail": dict(event.detail)}
        if self._date is not None and (date := self._date.text()):
            line["time"] = date
        data = (json.dumps(line, ensure_ascii=False, default=str) + "\n").encode()
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._lost(str(error))
        else:
            if written < len(data):
                self._lost(f"only {written} of {len(data)} bytes were written, the disk is full")

    def fault(self, kind: str, now: float, error: BaseException | None = None, **detail: object) -> None:
        """Count a fault, and record it if it is the first of its kind."""
        self._faults[kind] += 1
        if self._faults[kind] > 1:
            return
        if error is not None:
            self._words[kind] = f"{kind}: {error}"[:_LONGEST_WORDS]
            detail["traceback"] = "".join(traceback.format_exception(error))
        self.write(Event("fault", "", "", {"what": kind, **detail}), now)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _lost(self, why: str) -> None:
        self._faults["event lost"] += 1
        if self._faults["event lost"] == 1:
            sys.stderr.write(f"{self._path}: an event of {self._censor} was lost: {why}; free some space\n")
