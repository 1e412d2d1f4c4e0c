"""`testbed diff`: which verdicts of two runs differ, and where their flows part."""

import json

import click

from testbed.cli import options
from testbed.errors import Exit


@click.command(
    short_help="Which verdicts of two runs differ, and where their flows part.",
    epilog=options.examples(
        "testbed diff runs/before runs/after",
        "testbed diff runs/before last --json",
    ),
)
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(first: str, second: str, *, as_json: bool) -> int:
    """Compare two runs: settings, rows, and of each row that changed the first step where the flows part.

    RUN is a run's folder, or 'last'. With captures the steps are packets. Of commands' runs, which have no
    rows, the rules that acted are compared. Exit status: 0 if all agree, 1 if some differ.
    """
    from testbed.explain.evidence import read, run_folder
    from testbed.explain.parting import difference
    from testbed.report.differing import differing

    found = difference(read(run_folder(first)), read(run_folder(second)))
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False) + "\n" if as_json else differing(found)
    click.echo(text, nl=False)
    return Exit.UNEXPECTED if found.rows or found.rules else Exit.OK
