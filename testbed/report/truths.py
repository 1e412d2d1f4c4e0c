"""What must be seen, as a table: `testbed truth`."""

import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.model import Scenario
from testbed.report.table import PLAIN_WIDTH, heading, limits
from testbed.scenario.labels import LABELS
from testbed.truth.expected import Truth
from testbed.truth.record import TruthRecord


def show(scenario: Scenario, phase: str, expected: Sequence[Truth], *, file: IO[str] | None = None) -> None:
    """Print what must be seen, grouped by vantage."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else PLAIN_WIDTH)
    note = scenario.phases[phase].title
    console.print(Text(f"{scenario.title}, phase {phase}{': ' if note else ''}{note}", style="bold"))
    for vantage in dict.fromkeys(one.vantage for one in expected):
        console.print()
        console.print(Text(heading(scenario, vantage), style="bold cyan"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for name in ("target", "over", "must be", "by rule"):
            table.add_column(name, overflow="fold")
        for one in expected:
            if one.vantage == vantage:
                table.add_row(*(Text(cell) for cell in (one.target.url, one.transport, outcome(one), one.by)))
        console.print(table)
    console.print()
    used = {one.outcome for one in expected}
    for label, meaning in LABELS.items():
        if label in used:
            console.print(Text(f"{label:14}{meaning}", style="dim"))


def show_records(
    scenario: Scenario, phase: str, records: Sequence[TruthRecord], *, file: IO[str] | None = None
) -> None:
    """Print what the rules do to each client, grouped by vantage."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else PLAIN_WIDTH)
    console.print(Text(f"{scenario.title}, phase {phase}: asked of the censors", style="bold"))
    for vantage in dict.fromkeys(one.vantage for one in records):
        console.print()
        console.print(Text(heading(scenario, vantage), style="bold cyan"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for name in ("target", "client", "outcome", "by rule", "how", "where", "holds"):
            table.add_column(name, overflow="fold")
        for one in records:
            if one.vantage == vantage:
                table.add_row(*(Text(cell) for cell in _cells(one)))
        console.print(table)


def _cells(one: TruthRecord) -> tuple[str, ...]:
    shares = ", ".join(f"{label} {100 * share:g} %" for label, share in one.chances.items())
    said = one.mechanism if one.certain else shares
    if one.rate is not None:
        said += f" {one.rate / 1000:g} kbit/s"
    if one.size is not None:
        said += f" after {one.size} bytes"
    where = "" if not one.rule else "resolver" if one.hop is None else f"hop {one.hop}"
    way = {"up": " up", "down": " down", "both": " both ways", "": ""}[one.direction]
    holds = "" if one.residual is None else f"{one.residual:g} s"
    return one.target, one.client, said, one.rule.partition("/")[2], one.action + way, where, holds


def outcome(one: Truth) -> str:
    """The label, with the rate and the reason for measuring it."""
    tries = f" of {one.tries} tries" if one.tries > 1 else ""
    said = f"{one.outcome}{limits(one.rate, one.received, one.share)}{tries}"
    return said + (f" ({one.role})" if one.role != "expectation" else "")
