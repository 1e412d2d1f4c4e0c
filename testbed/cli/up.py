"""`testbed up`: build a scenario and hold it open for commands."""

from pathlib import Path

import click

from testbed.cli import options
from testbed.errors import InputError


@click.command(
    short_help="Build a scenario and hold it open.",
    epilog=options.examples(
        "testbed up twitter-throttling-2021 --detach",
        "testbed exec --vantage mts -- curl -o /dev/null https://abs.twimg.com/bytes/100000",
        "testbed phase twitter-throttling-2021 exact",
        "testbed down twitter-throttling-2021",
    ),
)
@options.scenario_argument
@options.phase_option
@options.vantage_option
@click.option("--name", "world", metavar="WORLD", help="The world's name; default: the scenario's, numbered.")
@click.option("--detach", is_flag=True, help="Return once it is open; it goes on by itself.")
@click.option(
    "--idle",
    metavar="TIME",
    help="End it after this time without a command, as '90 s', '1 h'; default with --detach: 1 h.",
)
@options.seed_option
@options.model_option
@options.time_scale_option
@options.serve_option
@click.option(
    "--image",
    "pods",
    default="",
    metavar="IMAGE",
    help="Let containers join the vantages: of IMAGE, or others (testbed exec --image).",
)
@options.authority_option
@options.out_option
@click.option(
    "--capture", is_flag=True, help="Record packets until its end: capture.pcapng in the run folder."
)
@click.option("--keys", is_flag=True, help="With --capture: ask the commands for their TLS secrets, too.")
@click.option("--json", "as_json", is_flag=True, help="Print what identifies the world as JSON.")
def command(
    name: str,
    phase: str | None,
    vantages: tuple[str, ...],
    world: str | None,
    idle: str | None,
    seed: int | None,
    model: str | None,
    time_scale: float | None,
    serve: tuple[str, ...],
    pods: str,
    authority: Path | None,
    out: Path | None,
    *,
    detach: bool,
    capture: bool,
    keys: bool,
    as_json: bool,
) -> int:
    """Build scenario NAME and hold it open: `testbed exec` runs commands in it, as often as you like.

    Without --vantage the world has every operator that any phase of the scenario concerns. It stays until
    `testbed down`, until Ctrl-C here, or with --detach until no command has run for the idle limit. The last
    line ends with its name.
    """
    from testbed.report import held
    from testbed.run.job import Job
    from testbed.run.standing import IDLE, Opening, start

    limit = _seconds(idle) if idle is not None else IDLE if detach else None
    scenario = options.loaded(name, seed, time_scale, model)
    job = Job(
        scenario,
        phase=phase,
        vantages=vantages,
        serve=serve,
        pods=pods,
        authority=authority,
        out=out,
        capture=capture,
        keys=keys,
    )
    opening = Opening.prepare(job, world, limit)
    opened = held.opened(opening.info, opening.session.phase, as_json=as_json, detached=detach)
    if detach:
        start(opening, detached=True)
        click.echo(opened)
        return 0
    result = opening.hold(lambda: click.echo(opened))
    held.show_end(result.summary())
    return result.exit_status


def _seconds(text: str) -> float:
    from testbed.scenario.quantities import UnitError, seconds

    try:
        found = seconds(text)
    except UnitError as error:
        raise InputError.at("--idle", str(error), error.remedy) from error
    if not found:
        raise InputError.at("--idle", f"{text!r} would end the world at once", "write it like 1 h")
    return found
