"""Options, arguments and completion that several commands share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from testbed.errors import InputError

if TYPE_CHECKING:
    from testbed.model import Scenario


class CommandAfterDashes(click.Command):
    """A command that may end with `-- COMMAND [ARG]…`, which is `ctx.obj`.

    Nothing after `--` is a mistake, not "no command".
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, but refuse a `--` without a command: an unset variable, most often."""
        own, dashes, words = _split(args)
        if dashes and not words and not ctx.resilient_parsing:
            remedy = "name a program after it, or leave it out"
            raise click.UsageError(f"there is no command after '--'; {remedy}", ctx)
        _refuse_empty_program(ctx, args)
        ctx.obj = words
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """For the first line of the help."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND [ARG]…]"]


class CommandOnlyAfterDashes(click.Command):
    """A command whose own arguments end at `--`; what follows is `ctx.obj`, the command line to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words after the first `--` away before the rest is parsed."""
        own, dashes, words = _split(args)
        if not words and not ctx.resilient_parsing and not {"-h", "--help"} & {*own}:
            missing = "there is no command after '--'" if dashes else "no command is given"
            raise click.UsageError(f"{missing}; name a program after '--'", ctx)
        _refuse_empty_program(ctx, args)
        ctx.obj = words
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """For the first line of the help."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND [ARG]…"]


class CommandOrTargets(click.Command):
    """A command with targets, or with `-- COMMAND [ARG]…`, which is `ctx.obj`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words after the first `--` away before the rest is parsed."""
        own, dashes, words = _split(args)
        if dashes and not words and not ctx.resilient_parsing:
            raise click.UsageError("there is no command after '--'; name a program after it", ctx)
        _refuse_empty_program(ctx, args)
        ctx.obj = words
        rest = super().parse_args(ctx, own)
        if bool(words) is bool(ctx.params.get("targets")) and not ctx.resilient_parsing:
            raise click.UsageError("name targets (https://twitter.com/), or a command after '--'", ctx)
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """For the first line of the help."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND [ARG]…]"]


def _refuse_empty_program(ctx: click.Context, args: list[str]) -> None:
    """A quoted unset variable after '--'. No world is built for it."""
    _, _, words = _split(args)
    if words and not words[0].strip() and not ctx.resilient_parsing:
        raise click.UsageError("the program's name after '--' is empty", ctx)


def _split(args: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in args:
        return args, False, []
    place = args.index("--")
    return args[:place], True, args[place + 1 :]


def complete_world(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the worlds that are held open."""
    from testbed.run import worlds

    return [CompletionItem(name) for name in worlds.running() if name.startswith(incomplete)]


world_argument = click.argument("world", required=False, shell_complete=complete_world)


def examples(*lines: str) -> str:
    """The end of a help text: examples, each on its line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def must_be_one(vantages: tuple[str, ...]) -> None:
    """InputError if a command is to run as several subscribers."""
    if len(set(vantages)) > 1:
        raise InputError.at("--vantage", "a command runs as one subscriber", "give --vantage once")


def one_or_all(
    names: tuple[str, ...], command_line: Sequence[str], *, every: bool, timeline: bool = False
) -> None:
    """UsageError unless either a scenario is named, several with a timeline, or all of them are measured."""
    if not every and not names:
        raise click.UsageError("Missing argument 'NAME': a scenario (see `testbed list`), or --all")
    if every and (names or command_line or timeline):
        raise click.UsageError("--all measures every scenario; leave NAME, COMMAND and --timeline out")
    if len(names) > 1 and not timeline:
        raise click.UsageError(
            "several scenarios are played one after another: add --timeline; a command comes after '--'"
        )


def must_be_played(timeline: bool, given: Mapping[str, object]) -> None:  # noqa: FBT001
    """UsageError for options that say something of a timeline, where there is none."""
    for option, value in given.items():
        if value is not None and not timeline:
            raise click.UsageError(f"{option} says how --timeline goes; add it, or leave {option} out")


def complete_scenario(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the library's scenarios."""
    from testbed.scenario import library

    return [CompletionItem(name) for name in library.names() if name.startswith(incomplete)]


def _complete_of(what: str) -> Any:
    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from testbed.scenario.loadcache import load_kept

        try:
            names = ctx.params.get("names") or (ctx.params.get("name") or "free-network",)
            scenario = load_kept(names[0])
        except InputError:
            return []
        known = scenario.vantages() if what == "vantage" else tuple(scenario.phases)
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]

    return complete


def _complete_model(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from testbed.censor.models import MODELS

    return [CompletionItem(key, help=m.title) for key, m in MODELS.items() if key.startswith(incomplete)]


class ScenarioTime(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A day, "2022-03-04", or a time in UTC, "2022-03-04 08:00"."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The time; a usage error if it is none."""
        from testbed.scenario.moments import moment

        found = moment(value.strip().replace("T", " ").removesuffix("Z")) if isinstance(value, str) else value
        if not isinstance(found, datetime):
            self.fail(f"{value!r} is not a time: write 2022-03-04, or in UTC '2022-03-04 08:00'", param, ctx)
        return found


speed_option = click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True, max=1e8),
    metavar="FACTOR",
    help="Seconds of the scenario in each real one: with 3600 an hour takes a second.",
)
from_option = click.option(
    "--from", "begin", type=ScenarioTime(), metavar="TIME", help="Begin then (UTC), as 2022-03-04."
)
until_option = click.option("--until", type=ScenarioTime(), metavar="TIME", help="End then (UTC).")
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
_RESULT_FILE = click.Path(path_type=Path, dir_okay=False)
junit_option = click.option(
    "--junit", type=_RESULT_FILE, metavar="FILE", help="Also write the result as JUnit XML."
)
markdown_option = click.option(
    "--markdown", type=_RESULT_FILE, metavar="FILE", help="The same as Markdown, for a CI service's page."
)
badge_option = click.option(
    "--badge", type=_RESULT_FILE, metavar="FILE", help="The same as JSON for a badge."
)
serve_option = click.option(
    "--serve",
    multiple=True,
    metavar="HOST[:PORT]='CMD'",
    help="Run CMD as a server on HOST: a vantage, a host of the scenario, or a new one abroad. Repeatable.",
)
closer_option = click.option(
    "--with", "closer", metavar="A,B", default="",
    help="A closer look at what the built-in probe finds blocked: hop, residual, connections, or all.",
)  # fmt: skip
image_option = click.option(
    "--image",
    default="",
    metavar="IMAGE",
    help="Run the command in a container of IMAGE (Docker's or Podman's), which is the subscriber.",
)
joining_image_option = click.option(
    "--image",
    default="",
    metavar="IMAGE",
    help="Run the command in a container of IMAGE, beside others there; the world must be open for them.",
)
volume_option = click.option(
    "--volume",
    "volumes",
    multiple=True,
    metavar="HERE:THERE[:ro]",
    help="Show the container a file or folder. Repeatable.",
)
env_option = click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="A variable of the container's; without a value, as it is here. Repeatable.",
)
authority_option = click.option(
    "--authority",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the certificate authority in DIR, over runs; made on first use.",
)
time_scale_option = click.option(
    "--time-scale",
    type=click.FloatRange(min=0.001, max=100_000),
    metavar="FACTOR",
    help="Let the censors' timers run FACTOR times faster (420 makes 420 s one second).",
)
model_option = click.option(
    "--model",
    metavar="KEY",
    shell_complete=_complete_model,
    help="Inspector model of every censor at a hop: A, P, C, D, T, Dv, R, Rl, Rv or Rvm.",
)


def threshold_options(command: Any) -> Any:
    """The thresholds of a score."""
    share = click.FloatRange(0, 1)
    for option in (
        click.option("--inconclusive", type=share, help="At most this share without an answer."),
        click.option(
            "--false-positives", type=share, default=0.02, show_default=True, help="At most, of what is free."
        ),
        click.option(
            "--recall", type=share, default=0.95, show_default=True, help="At least, of what it can observe."
        ),
    ):
        command = option(command)
    return command


def score_output_options(command: Any) -> Any:
    """Where a score goes."""
    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--markdown", type=file, metavar="FILE", help="Also write it as Markdown."),
        click.option("--junit", type=file, metavar="FILE", help="Also write it as JUnit XML."),
    ):
        command = option(command)
    return command


def closer(text: str) -> tuple[str, ...]:
    """The instruments that --with names."""
    if not text:
        return ()
    from testbed.probe.closer import chosen_closer

    return chosen_closer(text)


def loaded(
    name: str, seed: int | None, time_scale: float | None, model: str | None = None, *, tools: bool = False
) -> "Scenario":
    """The scenario with the command line's own seed, time scale and inspector model; `tools` as in `load`."""
    from testbed.scenario.inspection import with_model
    from testbed.scenario.loadcache import load_kept

    scenario = load_kept(name, tools=tools)
    if model is not None:
        scenario = with_model(scenario, model)
    if seed is not None:
        scenario = replace(scenario, seed=seed)
    return scenario if time_scale is None else replace(scenario, time_scale=time_scale)
