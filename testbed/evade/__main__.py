"""`python -m testbed.evade`: the proxy as a program."""

import asyncio
import sys
from collections.abc import Sequence

import click

from testbed.errors import TestbedError
from testbed.evade.rawsend import require_raw
from testbed.evade.relay import serve_relay
from testbed.evade.strategy import EvadePlan, parse_plan


@click.command()
@click.option("--listen", default="127.0.0.1:1080", show_default=True, metavar="ADDRESS:PORT")
@click.option("--transparent", is_flag=True, help="Take connections that the kernel redirects here, too.")
@click.argument("strategies", nargs=-1)
def main(listen: str, strategies: Sequence[str], *, transparent: bool) -> None:
    r"""A SOCKS 5 and HTTP CONNECT proxy that uses STRATEGIES towards servers, in their order.

    \b
    segments[:PLACES]  the ClientHello in several TCP segments
    records[:PLACES]   the ClientHello in several TLS records
    before             a ChangeCipherSpec record before it, in the same segment
    disorder           the last packet first
    low-ttl[:N], bad-checksum, bad-sequence, md5-option, old-timestamp, no-ack
                       first a decoy that the server does not take, for that reason
    overlap[:behind], out-of-band
    dns:URL            another resolver for the server's address: tls://dns.quad9.net
    PLACES are N, -N, name or name+N with commas between them, or every=N.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise click.UsageError(f"{listen!r} has no port; write 127.0.0.1:1080")
    try:
        plan = parse_plan(strategies)
        if plan.forged:
            require_raw()
    except TestbedError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_status)
    asyncio.run(_serve(host.strip("[]"), int(port), plan, transparent=transparent))


async def _serve(host: str, port: int, plan: EvadePlan, *, transparent: bool) -> None:
    server = await serve_relay(host, port, plan, transparent=transparent)
    click.echo(f"listening on {host}:{port}")
    await server.serve_forever()


if __name__ == "__main__":
    main()
