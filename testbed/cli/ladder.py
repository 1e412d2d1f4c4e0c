"""`testbed ladder`: what a censor did to each packet of one flow, drawn."""

from pathlib import Path

import click

from testbed.cli import options


@click.command(
    cls=options.CommandOrTargets,
    short_help="Draw what a censor did to each packet of a program or a target.",
    epilog=options.examples(
        "testbed ladder twitter-facebook-block-2022-03 --vantage beeline https://twitter.com/",
        "testbed ladder linkedin-ban-2016 --vantage tele2 --port 53 dns://8.8.8.8/www.linkedin.com",
        "testbed ladder mine.yaml --vantage mts --svg mine.svg -- curl https://twitter.com/",
    ),
)
@options.scenario_argument
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@options.phase_option
@click.option("--vantage", default="", metavar="VANTAGE", help="Operator whose subscriber this is.")
@click.option("--censor", default="", metavar="NAME", help="Which censor, if the path has several.")
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True, help="Only this far port. Repeatable."
)
@click.option("--most", type=click.IntRange(1, 1000), default=40, show_default=True, help="Lines.")
@click.option("--no-acks", is_flag=True, help="Leave out acknowledgements without data that passed.")
@click.option(
    "--delay",
    type=click.IntRange(0, 1000),
    default=20,
    show_default=True,
    metavar="MS",
    help="Milliseconds each way between the operator and the far side.",
)
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a picture instead."
)
@click.pass_obj
def command(
    words: list[str],
    name: str,
    targets: tuple[str, ...],
    phase: str | None,
    vantage: str,
    censor: str,
    ports: tuple[int, ...],
    most: int,
    delay: int,
    svg: Path | None,
    *,
    no_acks: bool,
) -> None:
    """Run COMMAND, or measure each TARGET, as a subscriber in scenario NAME and draw the packets.

    Packets are captured at the subscriber and one hop beyond the censor, so each line shows what the censor
    did to one: passed, dropped, rewritten, injected, held. The command's output goes to standard error.
    """
    from testbed.ladder.recorder import RunOptions, capture_run
    from testbed.ladder.sheets import SheetView, laid_out
    from testbed.scenario.loadcache import load_kept

    scenario = load_kept(name)
    run = RunOptions(
        scenario, vantage, phase or "", censor, targets, tuple(words), delay=delay / 1000, silent=False
    )
    view = SheetView(title=scenario.title, scenario=scenario.name, ports=ports, acks=not no_acks, most=most)
    sheet = laid_out(capture_run(run), view)
    if svg is None:
        from testbed.ladder.text import text

        click.echo(text(sheet), nl=False)
        return
    from testbed.ladder import svg as picture

    picture.write(svg, sheet)
    click.echo(str(svg))
