"""The table of a run: what was observed, what should have been, which rule, and what proves it."""

import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.errors import printable
from testbed.model import OUTSIDE, Scenario
from testbed.report.paths import typed
from testbed.run.result import verdict
from testbed.scenario.labels import LABELS
from testbed.truth.judge import MISSING, Judgement, Row

PLAIN_WIDTH = 120  # columns, at least, where the output is no terminal
_HEAD = ("target", "observed", "should be", "by rule", "kernel saw")


def show(judgement: Judgement, scenario: Scenario, folder: Path, *, file: IO[str] | None = None) -> None:
    """Print the table to `file` (stdout).

    In colour and folded to its width on a terminal; elsewhere plain text, as wide as it must be.
    """
    out = file or sys.stdout
    widths = _widths(judgement.rows)
    needed = sum(widths) + 2 * len(widths) + 3
    console = Console(file=out, highlight=False, width=None if out.isatty() else max(PLAIN_WIDTH, needed))
    good, bad = ("✓", "✗") if (console.encoding or "").lower().startswith("utf") else ("+", "x")
    console.print(Text(f"{scenario.title} ({judgement.scenario}), phase {judgement.phase}", style="bold"))
    widths = widths if needed <= console.width else [0] * len(widths)  # too narrow: rich folds
    for vantage in dict.fromkeys(row.vantage for row in judgement.rows):
        console.print()
        console.print(Text(heading(scenario, vantage), style="bold cyan"))
        rows = [row for row in judgement.rows if row.vantage == vantage]
        console.print(_table(rows, widths, good, bad))
    console.print()
    for line in legend(judgement):
        console.print(Text(line, style="dim"))
    for note in judgement.notes:
        console.print(Text(printable(f"note: {note}")))
    for problem in judgement.problems:
        console.print(Text(f"{bad} {printable(problem)}", style="red"))
    style = "bold red" if judgement.exit_status else "bold green"
    console.print(Text(f"{verdict(judgement)}   {typed(folder)}", style=style), soft_wrap=True)


def text(judgement: Judgement, scenario: Scenario, folder: Path) -> str:
    """The same as plain text."""
    out = StringIO()
    show(judgement, scenario, folder, file=out)
    return out.getvalue()


def _cells(row: Row) -> tuple[str, ...]:
    trial = f" (trial {row.trial})" if row.trial is not None else ""
    return f"{row.target}{trial}", observed(row), expected(row), by(row), proof(row)


def _widths(rows: Sequence[Row]) -> list[int]:
    """Columns as wide as their widest cell, the same for every vantage."""
    return [max(map(len, column)) for column in zip(_HEAD, *map(_cells, rows), strict=True)]


def _table(rows: Sequence[Row], widths: Sequence[int], good: str, bad: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", width=1)
    for name, width in zip(_HEAD, widths, strict=True):
        table.add_column(name, overflow="fold", min_width=width or len(name))
    for row in rows:
        agrees = row.verdict == "ok"
        mark = Text(good if agrees else bad, style="green" if agrees else "bold red")
        style = "red" if not agrees else "yellow" if row.by else ""
        table.add_row(mark, *(Text(cell, style=style) for cell in _cells(row)))
    return table


def heading(scenario: Scenario, vantage: str) -> str:
    """A vantage in full: "MTS (mts), AS8359, mobile"."""
    if vantage == OUTSIDE:
        return "outside, the vantage without a filter"
    operator = scenario.world.operator(vantage)
    return f"{operator.name} ({vantage}), AS{operator.asn}, {operator.kind}"


def observed(row: Row) -> str:
    """What was seen: the label, the speeds if it is about speed, or why it is not what it should be."""
    if row.observed == "throttle" and row.rate is not None and row.outside_rate is not None:
        return f"throttle: {bitrate(row.rate)}, outside {bitrate(row.outside_rate)}"
    if row.tries is not None:
        label = row.expected if row.stray or not row.hits else row.observed
        return f"{label} in {row.hits} of {row.tries}" + (f", also {row.stray}" if row.stray else "")
    if row.observed == "freeze" and row.received is not None:
        return f"freeze after {kilobytes(row.received)}"
    speed = f", {bitrate(row.rate)}" if row.rate is not None and row.observed == "ok" else ""
    return f"{row.observed}{speed}"


def expected(row: Row) -> str:
    """What should have been seen."""
    if row.role == "control":
        return f"{row.expected} (control)"
    return row.expected + limits(row.expected_rate, row.expected_received, row.expected_share)


def limits(
    rate: tuple[float, float] | None,
    received: tuple[float, float] | None,
    share: tuple[float, float] | None,
) -> str:
    """What an expectation says beside its label: ": 130-150 kbit/s", " in 30-70 %"."""
    size = f" after {kilobytes(received[0])} to {kilobytes(received[1])}" if received else ""
    part = f" in {100 * share[0]:g}-{100 * share[1]:g} %" if share else ""
    return (f": {rate_range(*rate)}" if rate else "") + size + part


def kilobytes(size: float) -> str:
    """16384 -> "16.4 kB"."""
    return f"{_digits(size / 1000)} kB" if size >= 1000 else f"{size:g} B"


def by(row: Row) -> str:
    """The rule that should have caused it, and the one that did if it was another."""
    if row.verdict == "ok" or not row.others:
        return row.by
    return f"{row.by}; acted: {', '.join(row.others)}" if row.by else ", ".join(row.others)


def proof(row: Row) -> str:
    """What the kernel counted for the rule."""
    if not row.by or row.observed == MISSING:
        return ""
    packets = f"{row.kernel} packet{'' if row.kernel == 1 else 's'}"
    if row.verdict == "unexpected receipt":
        return f"{packets}, none expected"
    if row.verdict == "ok" and not row.kernel:
        return f"{packets}: the rule did nothing here"
    if not row.kernel or not row.claimed:
        return f"{packets}; the censor claims {row.claimed}"
    return packets


def bitrate(rate: float) -> str:
    """138000 -> "138 kbit/s"."""
    unit, size = _unit(rate)
    return f"{_digits(rate / size)} {unit}"


def rate_range(low: float, high: float) -> str:
    """130000, 150000 -> "130-150 kbit/s"."""
    unit, size = _unit(high)
    return f"{_digits(low / size)}-{_digits(high / size)} {unit}"


def _unit(rate: float) -> tuple[str, float]:
    units = (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3))
    return next((pair for pair in units if rate >= pair[1]), ("bit/s", 1.0))


def _digits(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:.0f}"


def legend(judgement: Judgement) -> list[str]:
    """One line for each label in the table."""
    used = {label for row in judgement.rows for label in (row.observed, row.expected)} - {"ok"}
    width = max((len(label) for label in used), default=0)
    lines = [f"{label:{width}}  {meaning}" for label, meaning in LABELS.items() if label in used]
    if any(row.by for row in judgement.rows):
        lines.append(
            "kernel saw: packets of this target's flows that it dropped, rewrote, sent or held for the rule"
        )
    return lines
