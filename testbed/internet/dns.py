"""DNS servers: UDP and TCP for any resolver, DNS over TLS for public ones. What they answer is a function."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from socket import socket
from typing import NoReturn, cast

from testbed.internet.service import Ready, run_service
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.internet.zone import Zone, answer, for_udp

__all__ = ["Answer", "Zone", "answer", "serve_dns", "serve_operator_resolver", "serve_tcp", "truth"]

Answer = Callable[[bytes], bytes | None]
"""A query's bytes to a whole reply, or None for silence. Raises only on a bug, which ends the server."""

PORT = 53
IDLE = 75  # seconds that an idle connection stays open: our choice, longer than clients' own timeouts


def truth(zone: Zone) -> Answer:
    """What an honest resolver answers from `zone`."""
    return lambda query: answer(query, zone)


def serve_operator_resolver(addresses: Sequence[str], answer: Answer, ready: Ready) -> NoReturn:
    """An operator's own resolver on port 53 of `addresses`, UDP and TCP, until SIGTERM.

    Call it in the resolver's network namespace. `answer` may lie, or return None to stay silent.
    """
    run_service(lambda ready: serve_dns(dict.fromkeys(addresses, answer), ready), ready)


async def serve_dns(answers: dict[str, Answer], ready: Ready) -> None:
    """Answer on port 53 of each address by its function, UDP and TCP, for ever."""
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()
    for address, respond in answers.items():
        protocol = partial(_Datagrams, respond, failure)
        await loop.create_datagram_endpoint(protocol, sock=udp_socket(address, PORT))
        await serve_tcp(stream_socket(address, PORT), respond, failure)
    ready()
    await failure


async def serve_tcp(
    listening: socket,
    answer: Answer,
    failure: "asyncio.Future[None]",
    context: ssl.SSLContext | None = None,
) -> None:
    """Begin to answer length-prefixed queries (RFC 7766), pipelined too; over TLS if there is a `context`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(reader, writer, answer)
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client, a censor or the clock ended it
        except Exception as error:
            _fail(failure, error)
        finally:
            writer.close()

    await asyncio.start_server(serve, sock=listening, ssl=context)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    while True:
        async with asyncio.timeout(IDLE):
            length = int.from_bytes(await reader.readexactly(2), "big")
            query = await reader.readexactly(length)
        reply = answer(query)
        if reply is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer, failure: "asyncio.Future[None]") -> None:
        self.answer = answer
        self.failure = failure

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = self.answer(data)
            if reply is not None:
                self.transport.sendto(for_udp(data, reply), addr)
        except Exception as error:  # a bug in `answer`: to stay silent would look like censorship
            _fail(self.failure, error)


def _fail(failure: "asyncio.Future[None]", error: Exception) -> None:
    if not failure.done():
        failure.set_exception(error)
