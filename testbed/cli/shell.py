"""`testbed shell`: an interactive shell as a subscriber."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(short_help="An interactive shell as a subscriber.")
@options.scenario_argument
@options.phase_option
@options.vantage_option
@options.seed_option
@options.time_scale_option
@options.out_option
def command(
    name: str,
    phase: str | None,
    vantages: tuple[str, ...],
    seed: int | None,
    time_scale: float | None,
    out: Path | None,
) -> int:
    """Open a shell in scenario NAME; its prompt says as whose subscriber and in which phase.

    Everything typed there meets the censors of that operator. Leave it as any shell.
    """
    from testbed.run.choose import phase_of, vantages_of
    from testbed.run.command import opening_shell
    from testbed.run.folder import RunFolder
    from testbed.run.session import Session, run

    scenario = options.loaded(name, seed, time_scale)
    chosen = phase_of(scenario, phase)
    subscribers = vantages_of(scenario, chosen, vantages, single=True)
    session = Session(scenario, chosen, subscribers, RunFolder.create(out, scenario.name))
    return run(session, opening_shell)
