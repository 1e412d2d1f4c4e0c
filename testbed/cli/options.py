"""Options and completion that several commands share."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from testbed.scenario.model import Scenario


def complete_scenario(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the library's scenarios."""
    from testbed.scenario import library

    return [CompletionItem(name) for name in library.names() if name.startswith(incomplete)]


def _complete_of(what: str) -> Any:
    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from testbed.errors import InputError
        from testbed.scenario.loader import load

        try:
            scenario = load(ctx.params.get("name") or "free-network")
        except InputError:
            return []
        names = scenario.vantages() if what == "vantage" else tuple(scenario.phases)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


scenario_argument = click.argument("name", shell_complete=complete_scenario)
phase_option = click.option(
    "--phase", metavar="PHASE", shell_complete=_complete_of("phase"), help="Phase of the scenario."
)
vantage_option = click.option(
    "--vantage",
    "vantages",
    multiple=True,
    metavar="VANTAGE",
    shell_complete=_complete_of("vantage"),
    help="Operator whose subscriber this is, or 'outside'. Repeatable when measuring.",
)
seed_option = click.option("--seed", type=click.IntRange(min=0), help="Another seed than the scenario's.")
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run folder (new or empty); default runs/<scenario>-<time>.",
)
time_scale_option = click.option(
    "--time-scale",
    type=click.FloatRange(min=0.001, max=100_000),
    metavar="FACTOR",
    help="Let the censors' timers run FACTOR times faster (420 makes 420 s one second).",
)


def loaded(name: str, seed: int | None, time_scale: float | None) -> Scenario:
    """The scenario with the command line's own seed and time scale."""
    from testbed.scenario.loader import load

    scenario = load(name)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    return scenario if time_scale is None else replace(scenario, time_scale=time_scale)
