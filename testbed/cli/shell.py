"""`testbed shell`: an interactive shell as a subscriber."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(
    short_help="An interactive shell as a subscriber.",
    epilog=options.examples("testbed shell twitter-throttling-2021 --vantage mts --phase exact"),
)
@options.scenario_argument
@options.phase_option
@options.vantage_option
@options.seed_option
@options.model_option
@options.time_scale_option
@options.serve_option
@options.image_option
@options.volume_option
@options.env_option
@options.authority_option
@options.out_option
def command(
    name: str,
    phase: str | None,
    vantages: tuple[str, ...],
    seed: int | None,
    model: str | None,
    time_scale: float | None,
    serve: tuple[str, ...],
    image: str,
    volumes: tuple[str, ...],
    variables: tuple[str, ...],
    authority: Path | None,
    out: Path | None,
) -> int:
    """Open a shell in scenario NAME; its prompt names the operator, the scenario and the phase.

    Everything typed there meets the censors of that operator. Leave it as any shell.
    """
    from testbed.report.ending import show
    from testbed.run.execute import execute
    from testbed.run.job import Job

    options.must_be_one(vantages)
    scenario = options.loaded(name, seed, time_scale, model)
    job = Job(
        scenario,
        phase=phase,
        vantages=vantages,
        shell=True,
        serve=serve,
        image=image,
        volumes=volumes,
        variables=variables,
        authority=authority,
        out=out,
    )
    result = execute(job)
    show(result, scenario)
    return result.exit_status
