"""`testbed bench`: measure the budgets of this checkout, each with its baseline beside it."""

import json
import sys
import time
from pathlib import Path

import click

from testbed.errors import Exit, InputError

_CHECKOUT = Path(__file__).resolve().parents[2]


@click.command(short_help="Measure the budgets, each with its baseline beside it.")
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds; rough figures in about a minute.")
@click.option("--only", "chosen", multiple=True, metavar="NAME", help="Only this benchmark. Repeatable.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the JSON here instead of bench/results/<time>.json.",
)
def command(chosen: tuple[str, ...], json_file: Path | None, *, quick: bool) -> int:
    """Measure what docs/benchmarks.md promises: a table for you, JSON for a machine.

    Run it on an idle machine. Exit status: 0 if every budget is held, 1 if one is missed, 3 if
    a benchmark could not be run.
    """
    _from_checkout()
    from bench import suite, table

    for name in chosen:
        if name not in suite.NAMES:
            raise InputError.at(
                "--only", f"there is no benchmark '{name}'", f"there are: {', '.join(suite.NAMES)}"
            )
    left_out = suite.ONLY_NAMED + (suite.NOT_QUICK if quick else ())
    everything = [name for name in suite.NAMES if name not in left_out]
    place = json_file or _CHECKOUT / "bench" / "results" / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    _writable(place)
    results, failures = suite.run(list(dict.fromkeys(chosen)) or everything, quick=quick)
    document = table.document(results, failures, quick=quick)
    place.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    table.show(results, failures)
    click.echo(f"recorded in {place}")
    if failures:
        return Exit.INVALID
    return Exit.OK if all(result.held for result in results) else Exit.UNEXPECTED


def _from_checkout() -> None:
    """Make this checkout's `bench` importable, and no other package of that name."""
    if not (_CHECKOUT / "bench" / "suite.py").is_file():
        remedy = "run `make bench` in a clone of the repository"
        raise InputError.at("", f"the benchmarks are not installed beside {_CHECKOUT}", remedy)
    if sys.path[0] != str(_CHECKOUT):
        sys.path.insert(0, str(_CHECKOUT))


def _writable(place: Path) -> None:
    """Say now, not after ten minutes, that the JSON cannot be written."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    except OSError as error:
        remedy = "name a file that you can write with --json"
        raise InputError.at("--json", f"{place}: {error.strerror}", remedy) from error
