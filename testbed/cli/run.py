"""`testbed run`: build a scenario; measure it with the built-in probe, or run a command as a subscriber."""

from dataclasses import replace
from pathlib import Path

import click

from testbed.cli import options


@click.command(
    cls=options.CommandAfterDashes,
    short_help="Build a scenario and measure it, or run a command in it.",
    epilog=options.examples(
        "testbed run twitter-facebook-block-2022-03",
        "testbed run twitter-throttling-2021 --circumvention",
        "testbed run --all --junit results.xml",
        "testbed run twitter-throttling-2021 --vantage beeline -- curl -O https://abs.twimg.com/bytes/400000",
    ),
)
@click.argument("name", required=False, shell_complete=options.complete_scenario)
@click.option("--all", "every", is_flag=True, help="Every scenario of the library, in every phase.")
@options.phase_option
@options.vantage_option
@options.seed_option
@options.model_option
@options.time_scale_option
@options.serve_option
@options.authority_option
@options.out_option
@click.option(
    "--timeout", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Seconds per step."
)
@click.option(
    "--circumvention",
    is_flag=True,
    help="Try the phase's circumvention, too, beside the direct way and where nothing filters.",
)
@click.option("-6", "ipv6", is_flag=True, help="Measure over IPv6.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the result as JUnit XML.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON; with a command, on stderr.")
@click.option(
    "-q", "--quiet", is_flag=True, help="With a command: print nothing of our own unless the run is invalid."
)
@options.command_argument
def command(
    name: str | None,
    phase: str | None,
    vantages: tuple[str, ...],
    seed: int | None,
    model: str | None,
    time_scale: float | None,
    serve: tuple[str, ...],
    authority: Path | None,
    out: Path | None,
    timeout: float,
    junit: Path | None,
    command_line: tuple[str, ...],
    *,
    every: bool,
    circumvention: bool,
    ipv6: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build scenario NAME in private namespaces and leave the machine as it was.

    Without a command, the built-in probe measures every target of the phase from every vantage and prints
    what it saw beside what should have been. With one, the command runs as that operator's subscriber and
    its exit status is ours. With --all, each scenario has a line, and those not as expected their table.
    """
    from testbed.report.ending import show, show_all
    from testbed.run.execute import execute
    from testbed.run.job import Job
    from testbed.run.result import most_serious

    if command_line:
        options.must_be_one(vantages)
    options.one_or_all(name, command_line, every=every)
    if junit is not None:
        from testbed.report import junit as xml

        xml.require_writable(junit)
    job = Job(
        name or "",
        phase=phase,
        vantages=vantages,
        command=command_line or None,
        seed=seed,
        model=model,
        time_scale=time_scale,
        timeout=timeout,
        ipv=6 if ipv6 else 4,
        circumvention=circumvention,
        serve=serve,
        authority=authority,
        out=out,
    )
    if name is not None:
        scenario = options.loaded(name, seed, time_scale, model)
        results = [execute(replace(job, scenario=scenario))]
        show(results[0], scenario, as_json=as_json, quiet=quiet)
    else:
        from testbed.run.every import every_scenario, execute_all

        results = show_all(execute_all(job, every_scenario()), as_json=as_json)
    if junit is not None:
        xml.write(junit, results)
    return most_serious(result.exit_status for result in results)
