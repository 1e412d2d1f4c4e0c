"""`testbed monitor`: watch what subscribers could reach, at intervals of the scenario's clock."""

from datetime import datetime
from pathlib import Path

import click

from testbed.cli import options
from testbed.errors import InputError, printable


@click.command(
    short_help="Watch every operator and target over a scenario's dates, and draw it.",
    epilog=options.examples(
        "testbed monitor twitter-facebook-2022-02 twitter-facebook-block-2022-03 --until 2022-05-01",
        "testbed monitor eu-rt-sputnik-2022 --every '12 h' -o rt",
        "testbed monitor twitter-facebook-2022-02 --detector 'curl -fsS -m 5 -o /dev/null {target}'",
        "testbed monitor --resume runs/monitor-twitter-facebook-2022-02-20220304-080000",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=options.complete_scenario)
@click.option(
    "--every", metavar="TIME", help="The interval, of the scenario's clock: '6 h'. Default: by length."
)
@click.option(
    "--detector",
    metavar="COMMAND",
    default="",
    help="Ask this command instead of the built-in probe; {target} stands for the URL.",
)
@click.option(
    "--limit", metavar="TIME", default="30 s", show_default=True, help="Time that a detector may take."
)
@options.from_option
@options.until_option
@options.vantage_option
@click.option("-6", "ipv6", is_flag=True, help="Measure over IPv6; a detector chooses for itself.")
@click.option("--target", "targets", multiple=True, metavar="URL", help="Only this target. Repeatable.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder (new or empty); default runs/monitor-<scenario>-<time>.",
)  # fmt: skip
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Go on with that one.",
)
@options.seed_option
@click.option(
    "--timeout", type=click.FloatRange(0.2, 60), default=4.0, show_default=True, help="Seconds per step."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    names: tuple[str, ...],
    every: str | None,
    detector: str,
    limit: str,
    begin: datetime | None,
    until: datetime | None,
    vantages: tuple[str, ...],
    targets: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    seed: int | None,
    timeout: float,
    *,
    ipv6: bool,
    as_json: bool,
) -> int:
    """Play the scenarios NAME… on their own dates and measure every target from every operator at intervals.

    Writes samples, incidents with the uncertainty of their onset and end, and the picture, and compares
    them with the truth. Exit status: 0 as expected, 1 not, 3 invalid.
    """
    from testbed.monitor.journal import Settings
    from testbed.monitor.observatory import Observatory
    from testbed.report.monitored import show_watched, write_files

    if resume is not None:
        if (
            names
            or every
            or detector
            or begin
            or until
            or vantages
            or targets
            or out
            or ipv6
            or seed is not None
        ):
            raise click.UsageError("--resume goes on with what was asked for; leave the rest out")
        observatory = Observatory.resume(resume)
    else:
        if not names:
            raise click.UsageError(
                "Missing argument 'NAME': a scenario (see `testbed list`), or --resume DIR"
            )
        settings = Settings(
            scenarios=names,
            every=interval(every, "--every") if every else 0.0,
            vantages=vantages,
            targets=targets,
            detector=detector,
            limit=interval(limit, "--limit"),
            timeout=timeout,
            seed=seed,
            ipv=6 if ipv6 else 4,
        )
        observatory = Observatory.begin(settings, out, begin, until)
    watched = observatory.run(lambda line: click.echo(printable(line), err=as_json))
    show_watched(watched, write_files(watched), as_json=as_json)
    return watched.exit_status


def interval(text: str, option: str) -> float:
    """Seconds of "6 h". InputError for what is no time."""
    from testbed.scenario.quantities import UnitError, seconds

    try:
        found = seconds(text)
    except UnitError as error:
        raise InputError.at(option, str(error), error.remedy) from error
    if not found:
        raise InputError.at(option, f"{text!r} is no time", "write it like 6 h")
    return found
