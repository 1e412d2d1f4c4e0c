"""`testbed check`: validate scenario files."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from testbed.errors import Exit, Problem


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from testbed.scenario import library

    known = [CompletionItem(name) for name in library.names() if name.startswith(incomplete)]
    return known or [CompletionItem(incomplete, type="file")]


@click.command(short_help="Validate scenario and recipe files.")
@click.argument("scenarios", nargs=-1, metavar="[NAME|FILE]...", shell_complete=_complete)
@click.option(
    "--schema",
    type=click.Choice(["scenario", "world", "recipe", "sweep"]),
    is_flag=False,
    flag_value="scenario",
    help="Print the JSON Schema of scenario (or world, recipe, sweep) files, for editors, and stop.",
)
@click.option("--recipe", "recipes", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
              help="Check this recipe, and say what this machine lacks for it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the problems as a JSON array.")
def command(
    *, scenarios: tuple[str, ...], schema: str | None, recipes: tuple[Path, ...], as_json: bool
) -> int:
    """Check the named scenarios and files, or the whole library, and print every problem.

    With --recipe, recipes as well, and of scenarios those that are named.

    An expectation that does not follow from the rules is one: each is asked of the censors' core, for the
    probe and over both IP versions. A scenario with a technique in Python runs that file. Exit status: 0 if
    all is well, 2 if not.
    """
    if schema:
        from testbed.scenario.jsonschema import SCHEMAS
        from testbed.sweep.sweepfile import sweep_schema

        made = sweep_schema() if schema == "sweep" else SCHEMAS[schema]()
        click.echo(json.dumps(made, indent=2, ensure_ascii=False))
        return Exit.OK
    from testbed.dryrun.agreement import checked
    from testbed.scenario import library

    names = scenarios or (() if recipes else tuple(library.names()))
    remarks: dict[str, None] = {}
    problems = _recipe_problems(recipes, remarks)
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
        counted = [(names, "scenario"), (recipes, "recipe")]
        many = ", ".join(_many(len(found), what) for found, what in counted if found)
        click.echo(f"{many}: {_many(len(problems), 'problem') if problems else 'no problem'}")
    return Exit.INPUT if problems else Exit.OK


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _recipe_problems(recipes: Sequence[Path], remarks: dict[str, None]) -> list[Problem]:
    """What is wrong with these files; what the machine lacks for the others is a remark."""
    from testbed.errors import InputError
    from testbed.run.toolneeds import missing
    from testbed.scenario.recipes import load_recipe

    problems: list[Problem] = []
    for path in recipes:
        try:
            if lacking := missing(load_recipe(path)):
                remarks[f"{path}: will be skipped here: {lacking}"] = None
        except InputError as error:
            problems += error.problems
    return problems
