"""`python -m testbed.evade.masked`: one end of a pair that masks the datagrams between them.

The client's end takes plain datagrams and sends masked ones, the server's end does the opposite; answers go
back the same way.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import click

from testbed.evade.mask import NONCE, mask, unmask

Address = tuple[str, int]
Change = Callable[[bytes], bytes]


class _Back(asyncio.DatagramProtocol):
    """The socket towards the other side, for one peer: what it receives goes back to that peer."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._answer(data)

    def error_received(self, exc: Exception) -> None:
        """The other side is not there: that is the tunnel's affair."""


class _Forth(asyncio.DatagramProtocol):
    """Takes datagrams of any number of peers and passes each on by a socket of its own."""

    def __init__(self, target: Address, out: Change, back: Change) -> None:
        self._target, self._out, self._back = target, out, back
        self._ways: dict[Address, asyncio.Task[asyncio.DatagramTransport]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for way in self._ways.values():
            if way.done() and not way.exception():
                way.result().close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        sending = asyncio.ensure_future(self._pass_on(data, addr))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _pass_on(self, data: bytes, peer: Address) -> None:
        if peer not in self._ways:
            self._ways[peer] = asyncio.ensure_future(self._open(peer))
        (await self._ways[peer]).sendto(self._out(data))

    async def _open(self, peer: Address) -> asyncio.DatagramTransport:
        def answer(data: bytes) -> None:
            self._transport.sendto(self._back(data), peer)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Back(answer), remote_addr=self._target)
        return transport


async def serve_masked(listen: Address, target: Address, key: bytes, *, masks: bool) -> asyncio.BaseTransport:
    """One end: from `listen` to `target`, where what leaves is masked (`masks`) or unmasked."""

    def masked(data: bytes) -> bytes:
        return mask(data, key, os.urandom(NONCE))

    def plain(data: bytes) -> bytes:
        return unmask(data, key)

    out, back = (masked, plain) if masks else (plain, masked)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Forth(target, out, back), local_addr=listen
    )
    return transport


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise click.UsageError(f"{text!r} is no ADDRESS:PORT")
    return host.strip("[]"), int(port)


@click.command()
@click.argument("side", type=click.Choice(["client", "server"]))
@click.option("--listen", required=True, metavar="ADDRESS:PORT")
@click.option("--to", "target", required=True, metavar="ADDRESS:PORT")
@click.option("--key", default="testbed", show_default=True)
def main(side: str, listen: str, target: str, key: str) -> None:
    """The SIDE of a pair: the client's masks what it passes on, the server's unmasks it."""

    async def serve() -> None:
        await serve_masked(_address(listen), _address(target), key.encode(), masks=side == "client")
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
