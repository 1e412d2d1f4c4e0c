"""Follows the folder of a run: what was appended since the last look goes into the live state."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.live.growing import GrowingLines
from testbed.live.state import LiveState
from testbed.world.meter import FILE as RATES


class RunReader:
    """Call `look` again and again. A file that is not there yet, or a line cut short, is no error."""

    def __init__(self, folder: Path, vantages: Sequence[str] = ()) -> None:
        self._folder = folder
        self._started: float | None = None
        self.state = LiveState.at(vantages)
        self._events, self._results, self._rates = (
            GrowingLines(folder / name) for name in ("events.jsonl", "results.jsonl", RATES)
        )

    @property
    def skipped(self) -> int:
        """Lines that came too fast to be shown."""
        return self._events.skipped + self._results.skipped + self._rates.skipped

    def look(self) -> bool:
        """Read what is new; whether there was anything."""
        if self._started is None:
            start = read_json(self._folder / "start.json").get("monotonic")
            self._started = float(start) if isinstance(start, int | float) else None
        found = 0
        for line in self._rates.look():
            self.state.note_rates(line)
            found += 1
        for line in self._events.look():
            self.state.note_event(line)
            found += 1
        for line in self._results.look():
            self.state.note_measurement(line, self._started or 0.0)
            found += 1
        return found > 0


def read_json(file: Path) -> dict[str, Any]:
    """The object in a file; {} if it is not there, or not whole yet."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
