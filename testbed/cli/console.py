"""`testbed console`: a local web page over a standing world."""

import click

from testbed.cli import options
from testbed.errors import Exit, UnsupportedError


@click.command(
    short_help="A web page over a held world, for one browser here.",
    epilog=options.examples(
        "testbed console twitter-throttling-2021 --vantage mts --vantage rostelecom",
        "testbed up twitter-throttling-2021 --detach",
        "testbed console",
    ),
)
@click.argument("name", required=False, metavar="[WORLD|NAME]", shell_complete=options.complete_world)
@options.phase_option
@options.vantage_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of 127.0.0.1.  [default: any free]")
def command(name: str | None, phase: str | None, vantages: tuple[str, ...], port: int) -> int:
    """Serve a page over WORLD (the only one, if it is left out), or over a world of scenario NAME.

    The link that is printed works once, for one browser of this machine; Enter prints a new one, which takes
    the page over. The page shows the network while it works, switches phases, moves boxes, and has a terminal
    as any subscriber. It ends with Ctrl-C, or with the world; a world that it opened itself ends with it.
    """
    try:
        import starlette  # noqa: F401
    except ImportError as missing:
        raise UnsupportedError(
            "Starlette is not installed; install it: pip install 'runet-testbed[console]'"
        ) from missing
    from testbed.console.webapp import require_assets
    from testbed.run import worlds

    require_assets()
    known = worlds.running()
    if name in known or (name is None and known):
        if phase or vantages:
            raise click.UsageError("the world is held open already; --phase and --vantage are of a new one")
        return _serve(worlds.chosen(name), port)
    if name is None:
        raise click.UsageError("no world is held open; name a scenario, or open one: testbed up")
    from testbed.run.job import Job
    from testbed.run.standing import Opening, start

    scenario = options.loaded(name, None, None, None)
    opening = Opening.prepare(Job(scenario, phase=phase, vantages=vantages))
    started = start(opening, detached=False)
    from testbed.report import held
    from testbed.run import requests
    from testbed.run.standing import wait

    try:
        _serve(started.info.name, port)
    finally:
        if started.info.name in worlds.running():
            requests.end(started.info.name)
    result = wait(started)
    held.show_end(result.summary())
    return result.exit_status


def _serve(world: str, port: int) -> int:
    from testbed.console.webserver import serve_worlds

    served = serve_worlds([world], port, click.echo)
    if served.words:
        click.echo(served.words)
    return Exit.OK
