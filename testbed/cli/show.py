"""`testbed show NAME`: what a scenario contains, for a person or (`--json`) for a program."""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testbed.cli.options import scenario_argument

if TYPE_CHECKING:
    from testbed.model import Scenario


@click.command(short_help="One scenario: its world, phases, rules, expectations and sources.")
@scenario_argument
@click.option("--json", "as_json", is_flag=True, help="Print the whole resolved scenario as JSON.")
@click.option(
    "--geoip",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write country and AS of the world's addresses there (MaxMind DB), and nothing else.",
)
def command(*, name: str, as_json: bool, geoip: Path | None) -> None:
    """Show the scenario NAME (of the library, or a file): who filters what, when, and what is expected."""
    from testbed.scenario.loadcache import load_kept

    scenario = load_kept(name)
    if geoip is not None:
        from testbed.scenario.geoip import write_geoip

        click.echo(f"{geoip}: {write_geoip(scenario.world, geoip)} networks")
        return
    if as_json:
        from testbed.scenario.tojson import to_json

        click.echo(json.dumps(to_json(scenario), indent=2, ensure_ascii=False))
        return
    click.secho(scenario.title, bold=True)
    click.echo(f"{scenario.name}, {scenario.period}")
    if scenario.notes:
        click.echo("\n" + textwrap.fill(scenario.notes, 100))
    _operators(scenario)
    _hosts(scenario)
    _rules(scenario)
    _phases(scenario)
    _expectations(scenario)
    _ways(scenario)
    click.echo("\n" + textwrap.fill("sources: " + "; ".join(scenario.sources), 100, subsequent_indent="  "))


def _heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _operators(scenario: "Scenario") -> None:
    _heading("operators")
    for operator in scenario.world.operators:
        about = f"{operator.name}, AS{operator.asn}, {operator.kind}, {operator.hops} hops"
        click.echo(f"  {operator.key:12} {about}")


def _hosts(scenario: "Scenario") -> None:
    from testbed.scenario.summary import host_lines

    lines = host_lines(scenario)
    if lines:
        _heading("hosts")
    for line in lines:
        click.echo(f"  {line}")


def _rules(scenario: "Scenario") -> None:
    from testbed.scenario.summary import rule_lines

    lines = rule_lines(scenario)
    if lines:
        _heading("rules")
    for line in (*lines, *scenario.remarks):
        click.echo(f"  {line}")


def _phases(scenario: "Scenario") -> None:
    from testbed.scenario.summary import phase_lines

    _heading("phases")
    for name, phase in scenario.phases.items():
        mark = " (default)" if name == scenario.default_phase else ""
        click.echo(f"  {name}{mark}: {phase.title}".rstrip(": "))
        for line in phase_lines(phase):
            click.echo(f"    {line}")
        boxes: dict[str, list[str]] = {}
        for each in phase.placements:
            where = f"hop {each.hop}" if each.at == "hop" else "resolver"
            boxes.setdefault(f"{each.policy.name} at {where}", []).append(each.operator)
        for box, operators in boxes.items():
            click.echo(f"    {box}: {', '.join(operators)}")
        if not phase.placements:
            click.echo("    no censor")


def _expectations(scenario: "Scenario") -> None:
    from testbed.scenario.summary import expectation_lines

    _heading("expected")
    for line in expectation_lines(scenario):
        click.echo(f"  {line}")
    click.echo(f"  unharmed everywhere: {', '.join(target.url for target in scenario.controls) or 'nothing'}")


def _ways(scenario: "Scenario") -> None:
    from testbed.scenario.summary import way_lines

    lines = way_lines(scenario)
    if lines:
        _heading("circumvention")
    for line in lines:
        click.echo(f"  {line}")
