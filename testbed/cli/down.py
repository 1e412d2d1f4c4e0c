"""`testbed down`: end a held world."""

import json

import click

from testbed.cli import options


@click.command(
    short_help="End a held world; what its filters did, by phase.",
    epilog=options.examples("testbed down twitter-throttling-2021"),
)
@options.world_argument
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(world: str | None, *, as_json: bool) -> int:
    """End WORLD (the only one, if it is left out): stop everything in it and write its summary.

    Commands that still run in it are killed. Exit status: 0; 3 if the world has become invalid.
    """
    from testbed.report.held import show_end
    from testbed.run.requests import end

    _, summary = end(world)
    if as_json:
        click.echo(json.dumps(summary, indent=1, ensure_ascii=False))
    else:
        show_end(summary)
    return int(summary["exit_status"])
