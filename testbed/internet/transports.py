"""Serving on open sockets with asyncio: one function per TCP connection, one per datagram.

What clients and censors break is no error. A bug in a handler is: to stay silent would look like censorship.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from socket import socket
from ssl import SSLContext
from typing import cast

Failure = asyncio.Future[None]
"""Never done, unless a handler raises: then it holds the exception, and whoever awaits it ends the server."""

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | None | Awaitable[bytes | None]  # None: no answer
Client = tuple[str, int]  # address and port
Respond = Callable[[bytes], Reply]
RespondTo = Callable[[bytes, Client], Reply]


def new_failure() -> Failure:
    """One for the running loop."""
    return asyncio.get_running_loop().create_future()


async def serve_streams(
    listening: Iterable[socket], converse: Converse, failure: Failure, context: SSLContext | None = None
) -> None:
    """Begin to run `converse` for each TCP connection, over TLS if there is a `context`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client, a censor or the clock ended it
        except Exception as error:
            _fail(failure, error)
        finally:
            writer.close()

    for one in listening:
        await asyncio.start_server(serve, sock=one, ssl=context)


async def settled(reply: Reply) -> bytes | None:
    """A reply, once it is there."""
    return reply if reply is None or isinstance(reply, bytes) else await reply


async def serve_datagrams(bound: Iterable[socket], respond: RespondTo, failure: Failure) -> None:
    """Begin to answer each datagram with `respond` of it and of its sender."""
    for one in bound:
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(respond, failure), sock=one
        )


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: RespondTo, failure: Failure) -> None:
        self.respond = respond
        self.failure = failure
        self.pending: set[asyncio.Task[None]] = set()  # asyncio itself keeps no strong reference

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = self.respond(data, (addr[0], addr[1]))
            if isinstance(reply, bytes):
                self.transport.sendto(reply, addr)
            elif reply is not None:
                task = asyncio.get_running_loop().create_task(self._answer(reply, addr))
                self.pending.add(task)
                task.add_done_callback(self.pending.discard)
        except Exception as error:
            _fail(self.failure, error)

    async def _answer(self, coming: Awaitable[bytes | None], addr: tuple[str, int]) -> None:
        try:
            reply = await coming
            if reply is not None:
                self.transport.sendto(reply, addr)
        except Exception as error:
            _fail(self.failure, error)


def _fail(failure: Failure, error: Exception) -> None:
    if not failure.done():
        failure.set_exception(error)
