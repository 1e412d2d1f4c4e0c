"""`testbed truth`: what must be seen from each vantage at each target, and the rule that causes it."""

import json

import click

from testbed.cli import options


@click.command(
    short_help="What must be seen, and why.",
    epilog=options.examples(
        "testbed truth twitter-facebook-block-2022-03",
        "testbed truth twitter-facebook-block-2022-03 --vantage mts --client chrome --client go",
        "testbed truth youtube-2024 --every-phase --json > truth.json",
    ),
)
@click.argument("name", required=False, shell_complete=options.complete_scenario)
@options.phase_option
@click.option("--every-phase", is_flag=True, help="Every phase of the scenario.")
@options.vantage_option
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="SHAPE",
    help="Ask the censors what they do to a client of this shape, or to 'all'. Repeatable.",
)
@click.option("-6", "ipv6", is_flag=True, help="Over IPv6.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of that object, and stop.")
def command(
    name: str | None,
    phase: str | None,
    vantages: tuple[str, ...],
    clients: tuple[str, ...],
    *,
    every_phase: bool,
    ipv6: bool,
    as_json: bool,
    schema: bool,
) -> int:
    """Print what a run of scenario NAME must see: outcome, and the rule that causes it.

    With --client, what the rules do to a client whose first packets have that shape, asked of the censors'
    core. JSON always has both. Nothing is built and nothing is measured. Exit status: 0, or 2 for a name that
    does not exist.
    """
    from testbed.run.choose import phase_of, vantages_of
    from testbed.shapes.known import SHAPES, shape_of
    from testbed.truth.expected import truth
    from testbed.truth.record import TruthFile, truth_schema

    if schema:
        click.echo(json.dumps(truth_schema(), indent=2, ensure_ascii=False))
        return 0
    if name is None:
        raise click.UsageError("Missing argument 'NAME': a scenario (see `testbed list`)")
    if phase is not None and every_phase:
        raise click.UsageError("give --phase or --every-phase, not both")
    shapes = tuple(SHAPES) if "all" in clients else tuple(shape_of(one).key for one in clients)
    scenario, ipv = options.loaded(name, None, None), 6 if ipv6 else 4
    chosen = tuple(scenario.phases) if every_phase else (phase_of(scenario, phase),)
    expected = {}
    for one in chosen:
        about = vantages_of(scenario, one, vantages, single=False) if vantages else None
        expected[one] = truth(scenario, one, about, ipv)
    records = []
    if as_json or shapes:
        from testbed.dryrun.ask import Asker

        asker = Asker(scenario)
        for one in chosen:
            records += list(asker.records(one, expected[one], shapes or ("probe",), ipv))
    if as_json:
        one_phase = chosen[0] if len(chosen) == 1 else None
        about_it = {"scenario": scenario.name, "phase": one_phase}
        found = TruthFile(seed=scenario.seed, records=tuple(records)).to_json()
        rows = {"truth": [one.to_json() for each in expected.values() for one in each]}
        click.echo(json.dumps({**about_it, **rows, **found}, indent=2, ensure_ascii=False))
        return 0
    from testbed.report.truths import show, show_records

    for one in chosen:
        if shapes:
            show_records(scenario, one, [each for each in records if each.phase == one])
        else:
            show(scenario, one, expected[one])
    return 0
