"""How far long work is, on stderr: a bar on a terminal, elsewhere a line now and then."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from testbed.errors import printable
from testbed.report.paths import typed

_STEP = 0.1  # of the trials between two lines, where the output is no terminal
_WIDTH = 30  # characters of the bar


class Progress:
    """A context manager; `tell` is called again and again."""

    def __init__(self, folder: Path, what: str = "trials") -> None:
        """`what` is counted: trials, flows, runs."""
        self._what = what
        self._folder, self._shown = folder, -1.0
        self._console = Console(file=sys.stderr, highlight=False)
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal else None
        self._last = ""

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say where everything is, and after an interruption that it can go on."""
        if self._live is not None:
            self._live.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._say(f"interrupted: {self._last or 'nothing'} recorded; the same command with --out "
                      f"{typed(self._folder)} goes on")  # fmt: skip
        elif kind is None:
            self._say(f"{self._last or 'nothing was missing'}; recorded in {typed(self._folder)}")

    def tell(self, done: int, total: int, worlds: int, left: float | None) -> None:
        """So many of so many are recorded; worlds at once, 0 without; seconds that are probably left."""
        share = done / total if total else 1.0
        self._last = f"{done} of {total} {self._what}"
        rest = "" if left is None else f", about {time_text(left)} left"
        if self._live is not None:
            at_once = f", {worlds} worlds" if worlds else ""
            bar = "━" * round(_WIDTH * share)
            self._live.update(Text(f"{bar:{_WIDTH}} {self._last}{at_once}{rest}"))
        elif share >= self._shown + _STEP or (done == total and share > self._shown):
            self._shown = share
            self._say(f"{self._last}{rest}")

    def _say(self, line: str) -> None:
        self._console.print(Text(printable(f"testbed: {line}")), soft_wrap=True)


def time_text(seconds: float) -> str:
    """Seconds, minutes, hours or days, whichever is short."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.67 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
