"""A file of JSON lines that grows: each look has the new lines; a flood is skipped, and counted."""

import json
from pathlib import Path
from typing import Any, Final

AT_ONCE: Final = 2 << 20  # bytes that one look reads; our choice: some hundredths of a second
BEHIND: Final = 16 << 20  # bytes that may wait; our choice: what is older than that is skipped
_COUNTED = 1 << 20


class GrowingLines:
    """Reads a file from `start` on. `skipped`: lines that came too fast to be shown; `broken`: no JSON."""

    def __init__(self, file: Path, *, at_once: int = AT_ONCE, behind: int = BEHIND) -> None:
        self._file, self._at_once, self._behind = file, at_once, behind
        self._place = 0
        self._whole = True  # the reader is at the beginning of a line
        self.skipped = self.broken = 0

    def look(self) -> list[dict[str, Any]]:
        """The objects that are new, at most `at_once` bytes of them. A file that is not there has none."""
        try:
            with self._file.open("rb") as file:
                size = file.seek(0, 2)
                if size - self._place > self._behind:
                    self._skip(file, size - self._at_once)
                file.seek(self._place)
                text = file.read(self._at_once)
        except OSError:
            return []
        text = text[: text.rfind(b"\n") + 1]
        if not text and size - self._place >= self._at_once:  # one line, longer than all that is read at once
            self._place, self._whole = self._place + self._at_once, False
            return []
        self._place += len(text)
        lines = text.splitlines()
        if not self._whole and lines:
            self.skipped += 1
            del lines[0]
        self._whole = self._whole or bool(text)
        return [found for line in lines if (found := self._object(line)) is not None]

    def _skip(self, file: Any, to: int) -> None:
        """Go on at the first whole line after byte `to`."""
        file.seek(self._place)
        left = to - self._place
        while left > 0 and (text := file.read(min(left, _COUNTED))):
            self.skipped += text.count(b"\n")
            left -= len(text)
        self._place, self._whole = to, False

    def _object(self, line: bytes) -> dict[str, Any] | None:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self.broken += 1
            return None
        return found
