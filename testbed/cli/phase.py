"""`testbed phase`: switch a held world to another phase."""

import json

import click

from testbed.cli import options
from testbed.errors import Exit


@click.command(
    short_help="Switch a held world to another phase.",
    epilog=options.examples("testbed phase twitter-throttling-2021 exact"),
)
@click.argument("names", nargs=-1, metavar="[WORLD] PHASE", shell_complete=options.complete_world)
@click.option("--json", "as_json", is_flag=True, help="Print what the ended phase's filters did as JSON.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], *, as_json: bool) -> int:
    """Switch WORLD (the only one, if it is left out) to PHASE, without building it again.

    The censors and lying resolvers of the old phase stop and leave their receipts, those of the new one
    start. Connections in progress go on and meet the change. Exit status: 0; 3 if the world is invalid.
    """
    from testbed.report import held
    from testbed.run.requests import switch_phase

    if len(names) not in (1, 2):
        raise click.UsageError("give a world and a phase", ctx)
    world, ended = switch_phase(names[0] if len(names) == 2 else None, names[-1])
    if as_json:
        click.echo(json.dumps({"world": world, "ended": ended.to_json()}, ensure_ascii=False))
    else:
        held.show_switch(world, names[-1], ended)
    return Exit.INVALID if ended.problems else Exit.OK
