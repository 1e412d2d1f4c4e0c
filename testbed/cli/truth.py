"""`testbed truth`: what must be seen from each vantage at each target, and the rule that causes it."""

import json

import click

from testbed.cli import options


@click.command(short_help="What must be seen, and why.")
@options.scenario_argument
@options.phase_option
@options.vantage_option
@click.option("-6", "ipv6", is_flag=True, help="Over IPv6.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str, phase: str | None, vantages: tuple[str, ...], *, ipv6: bool, as_json: bool) -> int:
    """Print what a run of scenario NAME must see: outcome, and the rule that causes it.

    Nothing is built and nothing is measured. Exit status: 0, or 2 for a name that does not exist.
    """
    from testbed.run.choose import phase_of, vantages_of
    from testbed.truth.expected import truth

    scenario = options.loaded(name, None, None)
    chosen = phase_of(scenario, phase)
    about = vantages_of(scenario, chosen, vantages, single=False) if vantages else None
    expected = truth(scenario, chosen, about, 6 if ipv6 else 4)
    if as_json:
        found = {"scenario": scenario.name, "phase": chosen, "truth": [one.to_json() for one in expected]}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        from testbed.report.truths import show

        show(scenario, chosen, expected)
    return 0
