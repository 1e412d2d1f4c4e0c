"""`testbed list`: the scenarios of the library."""

import json

import click

from testbed.errors import Exit, InputError, printable


@click.command(name="list", short_help="Scenarios of the library.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(*, as_json: bool) -> int:
    """Name, period, title and phases of every scenario that can be run by name.

    Looked for in $TESTBED_SCENARIOS, ./scenarios, and the scenarios that came with the program. Exit
    status: 0; 2 if one of them is wrong (it is named on standard error, the others are listed).
    """
    from testbed.scenario import library
    from testbed.scenario.loadcache import load_kept

    found, status = [], Exit.OK
    for name in library.names():
        try:
            found.append(load_kept(name))
        except InputError as error:
            status = Exit.INPUT
            click.echo(f"{printable(name)}: {error}", err=True)
    if as_json:
        rows = [
            {
                "name": scenario.name,
                "title": scenario.title,
                "period": scenario.period,
                "phases": list(scenario.phases),
                "default_phase": scenario.default_phase,
                "vantages": list(scenario.vantages()),
                "circumvention": list(dict.fromkeys(way.name for way in scenario.circumvention)),
                "sources": list(scenario.sources),
            }
            for scenario in found
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return status
    width = max((len(scenario.name) for scenario in found), default=0)
    for scenario in found:
        click.echo(
            f"{click.style(f'{scenario.name:{width}}', bold=True)}  {scenario.title} ({scenario.period})"
        )
        if len(scenario.phases) > 1:
            shown = (f"{name}*" if name == scenario.default_phase else name for name in scenario.phases)
            click.echo(f"{'':{width}}  phases: {', '.join(shown)}")
        if ways := dict.fromkeys(way.name for way in scenario.circumvention):
            click.echo(f"{'':{width}}  circumvention: {', '.join(ways)}")
    if not found:
        click.echo(f"no scenarios found; name a folder of them in ${library.VARIABLE}", err=True)
    return status
