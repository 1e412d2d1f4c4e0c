"""`testbed probe`: look at a site with every instrument, from within a vantage."""

import click

from testbed.cli import options


@click.command(
    short_help="Look at a site with every instrument, from within a vantage.",
    epilog=options.examples(
        "testbed probe twitter.com",
        "testbed probe --with hop,residual --residual 90 https://twitter.com/",
        "testbed probe --with all --json http://www.linkedin.com/",
    ),
)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET…")
@click.option("--with", "chosen", metavar="A,B", default="",
              help="Instruments, or all; see docs/probe.md.  [default: dns,web,hop,injected]")  # fmt: skip
@click.option("--control", metavar="NAME", help="A name that nobody filters.  [default: example.com]")
@click.option("--client", metavar="SHAPE", help="Whose ClientHello provokes.  [default: openssl]")
@click.option("--clients", metavar="A,B", help="Shapes for 'clients'.  [default: openssl,chrome,firefox,go]")
@click.option(
    "--residual", type=click.FloatRange(2, 3600), metavar="SECONDS", help="At most.  [default: 120]"
)
@click.option("--connections", type=click.IntRange(1, 500), help="At most.  [default: 24]")
@click.option("--wait", type=click.FloatRange(0.1, 60), metavar="SECONDS",
              help="Without a packet that count as silence.  [default: 1]")  # fmt: skip
@click.option("-6", "six", is_flag=True, help="Over IPv6.")
@click.option("--json", "as_json", is_flag=True, help="One object for each target.")
def command(
    targets: tuple[str, ...],
    chosen: str,
    control: str | None,
    client: str | None,
    clients: str | None,
    residual: float | None,
    connections: int | None,
    wait: float | None,
    *,
    six: bool,
    as_json: bool,
) -> int:
    """Measure TARGETs (names or URLs) from here, which must be a vantage of a world.

    Give it to a shell there, or behind the -- of run and exec.

    Exit status: 0 if nothing odd was seen, 1 if anything was.
    """
    from testbed.probe.field import chosen_instruments, look
    from testbed.probe.fieldsite import plan_of, site_of
    from testbed.report.fieldtable import print_findings
    from testbed.vantage.inworld import require_world

    require_world()
    plan = plan_of(
        control=control, client=client, shapes=clients, residual=residual, connections=connections, wait=wait,
        ipv=6 if six else 4, instruments=chosen_instruments(chosen),
    )  # fmt: skip
    sites = [site_of(target, plan) for target in targets]
    odd = [print_findings(site, look(site), as_json=as_json) for site in sites]
    return int(any(odd))
