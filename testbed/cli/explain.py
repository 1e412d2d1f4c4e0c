"""`testbed explain`: the story of one flow of a run."""

import json

import click

from testbed.cli import options


@click.command(
    short_help="What happened to a flow of a run, and how that is known.",
    epilog=options.examples(
        "testbed explain last",
        "testbed explain last https://twitter.com/ --vantage mts",
        "testbed explain runs/free-network-20261126-050000 91.76.0.100:38212 --json",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("flow", required=False, default="", metavar="[FLOW|TARGET]")
@click.option("--vantage", default="", metavar="VANTAGE", help="Of a target that was measured from several.")
@click.option("--width", type=click.IntRange(60, 400), default=None, help="Columns; default: the terminal's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run: str, flow: str, vantage: str, width: int | None, *, as_json: bool) -> None:
    """Print what happened to a flow: what was sent, what each censor saw and did, and what came back.

    RUN is a run's folder, or 'last'. FLOW is a flow as events.jsonl names it, one of its ends, or a target as
    the scenario has it; of a command's flows also the URL or name that a censor read. Without one, the most
    interesting flow. Of a flow that was not stopped, the reasons.
    """
    from testbed.explain.chosen import choose
    from testbed.explain.compose import compose
    from testbed.explain.evidence import read, run_folder

    evidence = read(run_folder(run))
    story = compose(evidence, choose(evidence, flow, vantage))
    if as_json:
        click.echo(json.dumps(story.to_json(), indent=1, ensure_ascii=False))
        return
    import shutil

    from testbed.report.explained import WIDTH, explained

    columns = width or max(80, shutil.get_terminal_size((WIDTH, 24)).columns)
    click.echo(explained(story, columns), nl=False)
