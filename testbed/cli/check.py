"""`testbed check`: validate scenario files."""

import json

import click
from click.shell_completion import CompletionItem

from testbed.errors import Exit, Problem


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from testbed.scenario import library

    known = [CompletionItem(name) for name in library.names() if name.startswith(incomplete)]
    return known or [CompletionItem(incomplete, type="file")]


@click.command(short_help="Validate scenario files.")
@click.argument("scenarios", nargs=-1, metavar="[NAME|FILE]...", shell_complete=_complete)
@click.option(
    "--schema",
    type=click.Choice(["scenario", "world", "recipe"]),
    is_flag=False,
    flag_value="scenario",
    help="Print the JSON Schema of scenario (or world, or recipe) files, for editors, and stop.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON array.")
def command(*, scenarios: tuple[str, ...], schema: str | None, as_json: bool) -> int:
    """Check the named scenarios and files, or the whole library, and print every problem.

    An expectation that does not follow from the rules is one: each is asked of the censors' core, for the
    probe and over both IP versions. A scenario with a technique in Python runs that file. Exit status: 0 if
    all is well, 2 if not.
    """
    if schema:
        from testbed.scenario import jsonschema

        click.echo(json.dumps(jsonschema.SCHEMAS[schema](), indent=2, ensure_ascii=False))
        return Exit.OK
    from testbed.dryrun.agreement import checked
    from testbed.scenario import library

    names = scenarios or tuple(library.names())
    problems: list[Problem] = []
    remarks: dict[str, None] = {}
    for found in checked(names):
        problems += [problem for problem in found.problems if problem not in problems]
        remarks |= dict.fromkeys(found.remarks)
    if as_json:
        rows = [{"place": p.place, "message": p.message, "remedy": p.remedy} for p in problems]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        for remark in remarks:
            click.echo(remark, err=True)
        many = "scenario" if len(names) == 1 else "scenarios"
        faults = "problem" if len(problems) == 1 else "problems"
        click.echo(f"{len(names)} {many}: {f'{len(problems)} {faults}' if problems else 'no problem'}")
    return Exit.INPUT if problems else Exit.OK
