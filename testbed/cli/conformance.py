"""`testbed conformance`: whether the censors do on the wire what was measured, case by case."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testbed.errors import Exit, InputError

if TYPE_CHECKING:
    from testbed.conformance.suite import CaseResult


@click.command(short_help="Whether the censors do on the wire what was measured, case by case.")
@click.option("--profile", "profiles", multiple=True, metavar="P", help="Only this profile. Repeatable.")
@click.option("--case", "ids", multiple=True, metavar="ID", help="Only this case (C27, plain). Repeatable.")
@click.option("--live", is_flag=True, help="Also through the kernel; about four minutes for all cases.")
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write JSON to this file, or print it instead of the table.",
)
def command(*, profiles: tuple[str, ...], ids: tuple[str, ...], live: bool, json_file: str | None) -> int:
    """Run the named cases against the censor core, and with --live through the kernel.

    Each case also runs without its rules, where every packet must pass. Exit status: 0 if every case of
    confidence H held, 1 if not.
    """
    from testbed.conformance import results, suite

    chosen = suite.choose(ids, profiles)
    if json_file not in (None, "-"):
        _writable(Path(str(json_file)))
    total = len(chosen) + (sum(case.live for case, _ in chosen) if live else 0)
    with _progress(total) as on_result:
        outcomes = suite.run_on_core(chosen, on_result)
    if live:
        with _progress(total, done=len(chosen)) as on_result:
            outcomes += suite.run_live(chosen, on_result)
    result = json.dumps({"cases": [one.as_dict() for one in outcomes]}, ensure_ascii=False, indent=1)
    if json_file == "-":
        click.echo(result)
    else:
        results.show(outcomes)
    if json_file not in (None, "-"):
        Path(str(json_file)).write_text(result + "\n", "utf-8")
    return Exit.UNEXPECTED if results.failed(outcomes) else Exit.OK


@contextmanager
def _progress(total: int, done: int = 0) -> Iterator[Callable[["CaseResult"], None]]:
    """A progress line on a terminal, nothing elsewhere. No thread, because worlds are forked."""
    count = done
    shown = sys.stderr.isatty()

    def on_result(outcome: "CaseResult") -> None:
        nonlocal count
        count += 1
        if shown:
            backend = "kernel" if outcome.live else "core"
            click.echo(
                f"\r\033[K{count}/{total}  {outcome.id} {outcome.profile} ({backend})", nl=False, err=True
            )

    try:
        yield on_result
    finally:
        if shown:
            click.echo("\r\033[K", nl=False, err=True)


def _writable(place: Path) -> None:
    """Fail now rather than after four minutes if the JSON cannot be written."""
    try:
        place.touch()
    except OSError as error:
        remedy = "name a file that you can write with --json"
        raise InputError.at("--json", f"{place}: {error.strerror}", remedy) from error
