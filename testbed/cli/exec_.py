"""`testbed exec`: run a command in a world that is held open."""

import click

from testbed.cli import options


@click.command(
    name="exec",
    cls=options.CommandOnlyAfterDashes,
    short_help="Run a command in a world that is held open.",
    epilog=options.examples(
        "testbed exec --vantage mts -- curl https://twitter.com/",
        "testbed exec twitter-throttling-2021 --vantage beeline -- bash",
        "testbed exec --vantage mts --image debian:12 -- apt-get update",
    ),
)
@options.world_argument
@click.option("--vantage", metavar="VANTAGE", help="Operator whose subscriber this is, or 'outside'.")
@options.joining_image_option
@options.volume_option
@options.env_option
@click.option("--json", "as_json", is_flag=True, help="Print what was matched as JSON, on stderr.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing of our own unless the world is invalid.")
@click.pass_obj
def command(
    words: list[str],
    world: str | None,
    vantage: str | None,
    image: str,
    volumes: tuple[str, ...],
    variables: tuple[str, ...],
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run COMMAND as a subscriber in WORLD (the only one, if it is left out); its exit status is ours.

    It keeps your terminal, folder and environment. Any number may run at once. If the world has become
    invalid, the exit status is 3.
    """
    from testbed.report import held
    from testbed.run.requests import InImage, visit

    if not image and (volumes or variables):
        raise click.UsageError("--volume and --env are a container's: name its --image")
    done = visit(world, vantage, words, InImage(image, volumes, variables) if image else None)
    held.show_visit(done, words, as_json=as_json, quiet=quiet)
    return done.exit_status
