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
Respond = Callable[[bytes], bytes | None]


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


async def serve_datagrams(bound: Iterable[socket], respond: Respond, failure: Failure) -> None:
    """Begin to answer each datagram with `respond` of it; None means no answer."""
    for one in bound:
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(respond, failure), sock=one
        )


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Respond, failure: Failure) -> None:
        self.respond = respond
        self.failure = failure

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = self.respond(data)
            if reply is not None:
                self.transport.sendto(reply, addr)
        except Exception as error:
            _fail(self.failure, error)


def _fail(failure: Failure, error: Exception) -> None:
    if not failure.done():
        failure.set_exception(error)
