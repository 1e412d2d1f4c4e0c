"""`python -m testbed.evade`: the proxy as a program."""

import asyncio
import sys
from collections.abc import Sequence

import click

from testbed.errors import Exit, InputError
from testbed.evade.relay import serve_relay
from testbed.evade.strategy import EvadePlan, parse_plan


@click.command()
@click.option("--listen", default="127.0.0.1:1080", show_default=True, metavar="ADDRESS:PORT")
@click.argument("strategies", nargs=-1)
def main(listen: str, strategies: Sequence[str]) -> None:
    r"""A SOCKS 5 and HTTP CONNECT proxy that uses STRATEGIES towards servers, in their order.

    \b
    segments[:PLACES]  the ClientHello in several TCP segments
    records[:PLACES]   the ClientHello in several TLS records
    before             a ChangeCipherSpec record before it, in the same segment
    PLACES are N, -N, name or name+N with commas between them, or every=N.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise click.UsageError(f"{listen!r} has no port; write 127.0.0.1:1080")
    try:
        plan = parse_plan(strategies)
        if plan.forged:
            raise InputError.at("strategy", f"{plan.forged!r} needs packets that a socket cannot send")
    except InputError as error:
        click.echo(str(error), err=True)
        sys.exit(Exit.INPUT)
    asyncio.run(_serve(host.strip("[]"), int(port), plan))


async def _serve(host: str, port: int, plan: EvadePlan) -> None:
    server = await serve_relay(host, port, plan)
    click.echo(f"listening on {host}:{port}")
    await server.serve_forever()


if __name__ == "__main__":
    main()
