"""`testbed run`: build a scenario; measure it with the built-in probe, or run a command as a subscriber."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="Build a scenario and measure it, or run a command in it.",
    context_settings={"ignore_unknown_options": False},
)
@options.scenario_argument
@options.phase_option
@options.vantage_option
@options.seed_option
@options.time_scale_option
@options.out_option
@click.option(
    "--timeout", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Seconds per step."
)
@click.option("-6", "ipv6", is_flag=True, help="Measure over IPv6.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option(
    "-q", "--quiet", is_flag=True, help="With a command: say nothing of our own unless the run is invalid."
)
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARG]…]")
def command(
    name: str,
    phase: str | None,
    vantages: tuple[str, ...],
    seed: int | None,
    time_scale: float | None,
    out: Path | None,
    timeout: float,
    command_line: tuple[str, ...],
    *,
    ipv6: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    r"""Build scenario NAME in private namespaces and leave the machine as it was.

    Without a command, the built-in probe measures every target of the phase from every vantage and prints
    what it saw beside what should have been. With one, the command runs as that operator's subscriber and
    its exit status is ours.

    \b
    testbed run twitter-facebook-block-2022-03
    testbed run twitter-throttling-2021 --vantage beeline -- curl -O https://abs.twimg.com/bytes/400000
    """
    from testbed.run.choose import phase_of, vantages_of
    from testbed.run.folder import RunFolder
    from testbed.run.session import Session, run

    scenario = options.loaded(name, seed, time_scale)
    chosen = phase_of(scenario, phase)
    subscribers = vantages_of(scenario, chosen, vantages, single=bool(command_line))
    folder = RunFolder.create(out, scenario.name)
    session = Session(
        scenario,
        chosen,
        subscribers,
        folder,
        timeout=timeout,
        ipv=6 if ipv6 else 4,
        as_json=as_json,
        quiet=quiet,
    )
    if command_line:
        from testbed.run.command import executing

        return run(session, executing(command_line))
    from testbed.run.measure import measuring

    return run(session, measuring)
