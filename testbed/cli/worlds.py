"""`testbed worlds`: the worlds that are held open."""

import json

import click


@click.command(short_help="The worlds that are held open.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(*, as_json: bool) -> int:
    """List this user's worlds: phase, vantages, what runs in them, and what their rules did, by phase.

    Packets are counted when a phase ends; of the phase that holds it is shown how often each rule was
    triggered.
    """
    from testbed.report.held import show_list
    from testbed.run.requests import every_status

    found = every_status()
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show_list(found)
    return 0
