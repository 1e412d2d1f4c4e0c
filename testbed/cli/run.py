"""`testbed run`: build a scenario; measure it with the built-in probe, or run a command as a subscriber."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testbed.cli import options

if TYPE_CHECKING:
    from testbed.run.session import Beside


@click.command(
    cls=options.CommandAfterDashes,
    short_help="Build a scenario and measure it, or run a command in it.",
    epilog=options.examples(
        "testbed run twitter-facebook-block-2022-03",
        "testbed run twitter-throttling-2021 --circumvention",
        "testbed run twitter-facebook-block-2022-03 --capture --keys -- curl https://www.wikipedia.org/",
        "testbed run --all --junit results.xml",
        "testbed run twitter-facebook-2022-02 twitter-facebook-block-2022-03 --timeline --until 2022-05-01",
        "testbed run twitter-throttling-2021 --vantage beeline -- curl -O https://abs.twimg.com/bytes/400000",
        "testbed run twitter-facebook-block-2022-03 --vantage mts --image debian:12 -- apt-get update",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=options.complete_scenario)
@click.option("--all", "every", is_flag=True, help="Every scenario of the library, in every phase.")
@click.option(
    "--timeline",
    is_flag=True,
    help="Play all phases on their own dates, of several scenarios one after another.",
)
@options.speed_option
@options.from_option
@options.until_option
@options.phase_option
@options.vantage_option
@options.seed_option
@options.model_option
@options.time_scale_option
@options.serve_option
@options.image_option
@options.volume_option
@options.env_option
@options.authority_option
@options.out_option
@click.option(
    "--timeout", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Seconds per step."
)
@click.option(
    "--circumvention",
    is_flag=True,
    help="Try the phase's circumvention, too, beside the direct way and where nothing filters.",
)
@click.option(
    "--capture",
    is_flag=True,
    help="Record packets at every point of interest: capture.pcapng in the run folder.",
)
@click.option("--keys", is_flag=True, help="With --capture: ask the command for its TLS secrets, too.")
@click.option("--watch", is_flag=True, help="Show what happens while it runs; without a terminal, in lines.")
@options.closer_option
@click.option("-6", "ipv6", is_flag=True, help="Measure over IPv6.")
@options.junit_option
@options.markdown_option
@options.badge_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON; with a command, on stderr.")
@click.option(
    "-q", "--quiet", is_flag=True, help="With a command: print nothing of our own unless the run is invalid."
)
@click.pass_obj
def command(
    command_line: list[str],
    names: tuple[str, ...],
    speed: float | None,
    begin: datetime | None,
    until: datetime | None,
    phase: str | None,
    vantages: tuple[str, ...],
    seed: int | None,
    model: str | None,
    time_scale: float | None,
    serve: tuple[str, ...],
    image: str,
    volumes: tuple[str, ...],
    variables: tuple[str, ...],
    authority: Path | None,
    out: Path | None,
    timeout: float,
    closer: str,
    junit: Path | None,
    markdown: Path | None,
    badge: Path | None,
    *,
    every: bool,
    circumvention: bool,
    capture: bool,
    keys: bool,
    watch: bool,
    timeline: bool,
    ipv6: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build scenario NAME in private namespaces and leave the machine as it was.

    Without a command, the built-in probe measures every target of the phase from every vantage and prints
    what it saw beside what should have been. With one, the command runs as that operator's subscriber and
    its exit status is ours. With --all, each scenario has a line, and those not as expected their table.

    With --timeline the phases follow each other on the scenario's own dates in one world, and the command
    runs through all of them. Without --speed the clock leaps from phase to phase.
    """
    from testbed.report.ending import show, show_all
    from testbed.run.execute import execute
    from testbed.run.job import Job
    from testbed.run.result import most_serious

    if command_line or image:
        options.must_be_one(vantages)
    if image and (timeline or not names):
        raise click.UsageError("--image runs one container, in one phase of one scenario")
    options.one_or_all(names, command_line, every=every, timeline=timeline)
    options.must_be_played(timeline, {"--speed": speed, "--from": begin, "--until": until})
    if timeline and (phase is not None or circumvention):
        raise click.UsageError("--timeline plays every phase; leave --phase and --circumvention out")
    if timeline and capture:
        raise click.UsageError("--capture records one phase; leave --timeline out")
    if timeline and command_line and speed is None:
        raise click.UsageError("a command takes its time: with --timeline give it a --speed, as 3600")
    given = {"--junit": junit, "--markdown": markdown, "--badge": badge}
    files = {option: path for option, path in given.items() if path is not None}
    if files:
        from testbed.report import outputfile

        outputfile.require_writable(files)
    job = Job(
        names[0] if names else "",
        phase=phase,
        vantages=vantages,
        command=tuple(command_line) or None,
        seed=seed,
        model=model,
        time_scale=time_scale,
        timeout=timeout,
        instruments=options.closer(closer),
        ipv=6 if ipv6 else 4,
        circumvention=circumvention,
        capture=capture,
        keys=keys,
        serve=serve,
        image=image,
        volumes=volumes,
        variables=variables,
        authority=authority,
        out=out,
    )
    beside = _view(own_output=bool(command_line or image or as_json), every=every) if watch else None
    if timeline:
        from testbed.report.stories import show_played
        from testbed.run.playing import play

        scenarios = [options.loaded(one, seed, time_scale, model, tools=circumvention) for one in names]
        results = [play(job, scenarios, speed=speed, begin=begin, until=until, beside=beside)]
        show_played(results[0], scenarios, as_json=as_json, quiet=quiet)
    elif names:
        scenario = options.loaded(names[0], seed, time_scale, model, tools=circumvention)
        results = [execute(replace(job, scenario=scenario), beside)]
        show(results[0], scenario, as_json=as_json, quiet=quiet)
    else:
        from testbed.run.every import every_scenario, execute_all

        results = show_all(execute_all(job, every_scenario()), as_json=as_json)
    if files:
        outputfile.write(files, results)
    return most_serious(result.exit_status for result in results)


def _view(*, own_output: bool, every: bool) -> "Beside":
    """The live view of one run. `own_output`: stdout belongs to the command, or to JSON."""
    from testbed.report.watched import watching

    if every:
        raise click.UsageError("--watch shows one run; leave --all out")
    return watching(own_output=own_output)
