"""`testbed verify`: policy, file and wire agree, shown live with the probe."""

import json
import time
from pathlib import Path

import click

from testbed.cli import options
from testbed.errors import Exit


@click.command(
    short_help="Show that rules, expectations and what is seen agree.",
    epilog=options.examples(
        "testbed verify twitter-throttling-2021",
        "testbed verify --all --jobs 4",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=options.complete_scenario)
@click.option("--all", "every", is_flag=True, help="Every scenario of the library.")
@options.phase_option
@click.option("--jobs", type=click.IntRange(1, 64), help="Worlds at once; default: two for each processor.")
@click.option(
    "--timeout", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Seconds per step."
)
@click.option("-6", "ipv6", is_flag=True, help="Over IPv6.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the run folders in this folder (new or empty).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the results as JSON, with the records of the wire."
)
def command(
    names: tuple[str, ...],
    phase: str | None,
    jobs: int | None,
    timeout: float,
    out: Path | None,
    *,
    every: bool,
    ipv6: bool,
    as_json: bool,
) -> int:
    """Build each scenario NAME, measure every phase from every operator with the probe, and compare.

    Three must agree for each exchange: what the rules do to the probe's packets (policy), what the scenario
    expects (file), and what was seen and done to its flows (wire). Exit status: 0 if they do, 1 if not, 2 for
    a wrong scenario, 3 if a run was disturbed.
    """
    from testbed.report.verified import closing, line
    from testbed.run.choose import phase_of
    from testbed.run.every import every_scenario
    from testbed.run.result import most_serious
    from testbed.run.verify import VerifyOrder, default_jobs, verify_all
    from testbed.scenario.loadcache import load_kept

    if every is bool(names):
        raise click.UsageError("name scenarios, or give --all")
    if every and phase is not None:
        raise click.UsageError("--all measures every phase; leave --phase out")
    scenarios = every_scenario() if every else [load_kept(name) for name in names]
    phases = tuple(phase_of(one, phase) for one in scenarios[:1]) if phase is not None else ()
    order = VerifyOrder(phases, 6 if ipv6 else 4, timeout, out)
    places = [str(one.path or one.name) for one in scenarios]
    began, done = time.monotonic(), []
    for found in verify_all(places, order, jobs or default_jobs()):
        done.append(found)
        if not as_json:
            click.echo(line(found))
    if as_json:
        click.echo(json.dumps([one.to_json() for one in done], indent=1, ensure_ascii=False))
    else:
        click.echo(closing(done, time.monotonic() - began))
    return most_serious([one.exit_status for one in done]) if done else Exit.INVALID
