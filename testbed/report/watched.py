"""`run --watch`: what happens in a run, while it does. A process of its own reads the run's folder and draws.

On a terminal a picture that renews itself, elsewhere lines. Ctrl-C does not reach it: it shows the run's
orderly end, too. Whatever becomes of it, the run does not notice.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from testbed.errors import printable
from testbed.live.reader import RunReader
from testbed.live.state import LiveState
from testbed.run.session import Beside, Session
from testbed.world import linux
from testbed.world.fork import leave

TICK: Final = 0.25  # seconds between two pictures; our choice
_LINES_EVERY: Final = 1.0  # seconds between two looks, where lines are written
_PATIENCE: Final = 5.0  # seconds that it may take to end
_RULES, _FLOWS, _FIRED_LINES = 8, 6, 10  # shown at once; our choice
_SPARKS: Final = " ▁▂▃▄▅▆▇█"


def watching(*, own_output: bool) -> Beside:
    """What `execute` takes: the view, beside the run. `own_output`: stdout is the command's, or JSON."""

    def beside(session: Session) -> AbstractContextManager[None]:
        return _beside(session, own_output=own_output)

    return beside


@contextmanager
def _beside(session: Session, *, own_output: bool) -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the child would write it a second time
    run = os.pidfd_open(os.getpid())
    viewer = linux.fork()
    if viewer == 0:
        leave(lambda: _view(session, run, own_output=own_output))
    os.close(run)
    ended = os.pidfd_open(viewer)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(viewer, signal.SIGTERM)
        if not linux.Poller([ended]).wait(_PATIENCE):
            os.kill(viewer, signal.SIGKILL)
        os.waitpid(viewer, 0)
        os.close(ended)


def _view(session: Session, run: int, *, own_output: bool) -> None:
    """The life of the process that draws: until SIGTERM, or the end of the run's process (its pidfd)."""
    os.setpgid(0, 0)  # the terminal's Ctrl-C is not meant for it
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    asked = linux.signalfd((signal.SIGTERM,))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})
    reader = RunReader(session.folder.path, session.job.vantages)
    title = f"{session.scenario.name}/{session.phase}"
    console = Console(file=sys.stderr if own_output else sys.stdout, highlight=False, soft_wrap=False)
    with suppress(OSError):  # the terminal, or the reader of the lines, has gone
        if console.is_terminal and not own_output:
            _draw(reader, title, console, [run, asked])
        else:
            _write(reader, console, [run, asked])


def _draw(reader: RunReader, title: str, console: Console, ends: list[int]) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        began = time.monotonic()
        over = False
        while not over:
            over = bool(linux.Poller(ends).wait(TICK))
            reader.look()
            height = console.size.height
            live.update(
                picture(reader.state, title, time.monotonic() - began, reader.skipped, height), refresh=True
            )


def _write(reader: RunReader, console: Console, ends: list[int]) -> None:
    teller = _Lines()
    over = False
    while not over:
        over = bool(linux.Poller(ends).wait(_LINES_EVERY))
        reader.look()
        for line in teller.new(reader.state, reader.skipped):
            console.print(Text(f"testbed: {printable(line)}"), soft_wrap=True)


def picture(state: LiveState, title: str, seconds: float, skipped: int, height: int = 40) -> Group:
    """The whole view at one moment. `seconds`: since the view began; `height`: rows of the terminal."""
    room = max(2, (height - 10 - len(state.vantages)) // 2)
    parts: list[Text | Table] = [Text(f"{printable(title)}   {seconds:.1f} s", style="bold")]
    parts += [_vantages(state), _rules(state, min(room, _RULES)), _recent(state, min(room, _FLOWS))]
    notes = [*state.notes][-2:]
    if skipped:
        notes.append(f"{skipped:,} lines came too fast to be shown; events.jsonl has them")
    if state.uncounted:
        notes.append(f"{state.uncounted:,} events of flows or rules beyond those that are known by name")
    parts += [Text(f"! {printable(note)}", style="bold red") for note in notes]
    return Group(*parts)


def _vantages(state: LiveState) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("vantage")
    for name in ("flows", "fired", "measured", "failed", "down", "up"):
        table.add_column(name, justify="right")
    table.add_column("down, the last minute", no_wrap=True)
    for name, counts in state.vantages.items():
        rate = state.rate(f"{name}:eth0")
        curve = [point.received for point in state.rates.get(f"{name}:eth0", ())]
        table.add_row(
            Text(printable(name)),
            f"{counts.flows:,}",
            Text(f"{counts.fired:,}", style="bold red" if counts.fired else ""),
            f"{counts.measured:,}",
            f"{counts.failed:,}",
            bits(rate.received),
            bits(rate.sent),
            Text(spark(curve), style="cyan"),
        )
    return table


def _rules(state: LiveState, most: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("rule", "fired", "does", "last"):
        table.add_column(name, justify="right" if name == "fired" else "left", no_wrap=True)
    latest = sorted(state.rules.values(), key=lambda one: one.last, reverse=True)
    for one in latest[:most]:
        limit = f" {bits(one.limit)}" if one.limit else ""
        fresh = state.t - one.last < 1.0
        table.add_row(
            Text(f"{'● ' if fresh else '  '}{printable(one.rule)}", style="bold red" if fresh else ""),
            f"{one.times:,}",
            Text(printable(f"{one.action}{limit}")),
            Text(printable(f"{one.name or one.flow}, at {one.last:.2f} s")),
        )
    if not latest:
        table.add_row(Text("no rule has fired", style="dim"), "", "", "")
    return table


def _recent(state: LiveState, most: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("at", justify="right")
    for name in ("vantage", "what", "result"):
        table.add_column(name, no_wrap=True)
    for one in [*state.recent][-most:]:
        result = one.outcome if one.kind == "measured" else f"{one.kind} {one.rule}"
        what = one.name or one.flow
        table.add_row(f"{one.t:.2f}", *(Text(printable(text)) for text in (one.vantage, what, result or "-")))
    return table


class _Lines:
    """What is worth a line since the last time, of a view without a terminal."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._last = ""
        self._skipped = 0
        self._noted: set[str] = set()

    def new(self, state: LiveState, skipped: int) -> Iterator[str]:
        """Each rule that fired since, then the counts, if they have changed."""
        fired = [one for one in state.rules.values() if one.times != self._times.get(one.rule, 0)]
        for one in fired[:_FIRED_LINES]:
            more = one.times - self._times.get(one.rule, 0)
            times = "" if more == 1 else f" {more} times"
            yield f"{one.last:.2f} s: {one.rule} fired{times}: {one.name or one.flow}"
        if len(fired) > _FIRED_LINES:
            yield f"and {len(fired) - _FIRED_LINES} more rules fired"
        self._times = {one.rule: one.times for one in state.rules.values()}
        counts = "; ".join(_counted(state, name) for name in state.vantages)
        if counts != self._last:
            yield f"{state.t:.1f} s: {counts}"
        self._last = counts
        for note in state.notes:
            if note not in self._noted:
                yield note
        self._noted = {*state.notes}
        if skipped != self._skipped:
            yield f"{skipped - self._skipped:,} lines came too fast to be shown; events.jsonl has them"
        self._skipped = skipped


def _counted(state: LiveState, name: str) -> str:
    counts, rate = state.vantages[name], state.rate(f"{name}:eth0")
    said = f"{name} {counts.flows} flows, {counts.fired} fired, {bits(rate.received)} down"
    return said + (f", {counts.measured} measured, {counts.failed} failed" if counts.measured else "")


def bits(rate: float) -> str:
    """17896.0 -> "17.9 kbit/s"."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate:.0f} bit/s" if rate else "0"


def spark(values: list[float], width: int = 30) -> str:
    """The last values as a line of bars, the highest of them full."""
    shown = values[-width:]
    top = max(shown, default=0.0)
    if not top:
        return ""
    return "".join(_SPARKS[max(1, round(value / top * 8)) if value else 0] for value in shown)
