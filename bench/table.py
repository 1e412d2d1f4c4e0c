"""The table for people and the JSON for machines."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.result import BenchFailure, Result
from testbed import __version__

PLAIN_WIDTH = 150  # columns where the output is no terminal
_HEAD = ("what", "measured", "baseline", "against", "figure", "budget", "")


def show(results: Sequence[Result], failures: Sequence[BenchFailure], *, file: IO[str] | None = None) -> None:
    """Print results, notes and failures: in colour on a terminal, otherwise as plain text of fixed width."""
    out = file or sys.stdout
    console = Console(file=out, highlight=False, width=None if out.isatty() else PLAIN_WIDTH)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for result in results:
        cells = (result.what, result.measured, result.baseline, result.against, result.figure, result.budget)
        verdict = Text(result.verdict, style="green" if result.held else "bold red")
        table.add_row(*(Text(str(cell)) for cell in cells), verdict)
    if results:
        console.print(table)
        console.print()
    for result in results:
        if result.note:
            console.print(Text(f"{result.what}: {result.note}", style="dim"))
    for failure in failures:
        console.print(Text(f"NOT MEASURED {failure.name}: {failure.why}", style="red"))
    console.print(Text(summary(results, failures), style="bold"))


def summary(results: Sequence[Result], failures: Sequence[BenchFailure]) -> str:
    """The last line."""
    judged = [result.held for result in results if result.budget.is_set]
    line = f"{sum(judged)} of {len(judged)} budgets held"
    return f"{line}; {len(failures)} benchmarks could not be run" if failures else line


def document(results: Sequence[Result], failures: Sequence[BenchFailure], *, quick: bool) -> dict[str, Any]:
    """The JSON document."""
    return {
        "testbed": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": quick,
        "machine": machine(),
        "results": [result.to_json() for result in results],
        "failures": [{"name": failure.name, "why": failure.why} for failure in failures],
    }


def machine() -> dict[str, Any]:
    """The machine and its load at the end."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
