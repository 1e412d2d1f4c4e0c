"""DNS servers: UDP and TCP for any resolver, TLS for public ones. What they answer is a function."""

import asyncio
import ssl
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import NoReturn

from testbed.internet.service import run_service
from testbed.internet.services.base import ReportReady
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.internet.transports import (
    Client,
    Reply,
    Respond,
    new_failure,
    serve_datagrams,
    serve_streams,
    settled,
)
from testbed.internet.zone import Zone, answer, for_udp
from testbed.world.netns import Namespace, inside

__all__ = [
    "HonestResolver",
    "Respond",
    "Zone",
    "answer",
    "serve_dns",
    "serve_honest_resolvers",
    "serve_operator_resolver",
    "serve_sockets",
    "truth",
]

PORT = 53
IDLE = 75  # seconds that an idle connection stays open: our choice, longer than clients' own timeouts


def truth(zone: Zone) -> Respond:
    """What an honest resolver answers: from `zone`, and by asking the server of a delegated one."""
    if not zone.delegations:
        return lambda query: answer(query, zone)
    from testbed.internet.delegation import ask_server, servers_for  # slow, and few worlds delegate

    def respond(query: bytes) -> Reply:
        servers = servers_for(query, zone.delegations)
        return ask_server(query, servers) if servers else answer(query, zone)

    return respond


@dataclass(frozen=True, slots=True)
class HonestResolver:
    """An operator's own resolver that answers what is true: where it is, and what it knows."""

    namespace: Namespace
    addresses: Sequence[str]
    zone: Zone


def serve_honest_resolvers(resolvers: Iterable[HonestResolver], ready: ReportReady) -> NoReturn:
    """Serve them all in this process, as `serve_operator_resolver` does one. None asks another server."""
    run_service(lambda ready: _serve_honestly(resolvers, ready), ready)


async def _serve_honestly(resolvers: Iterable[HonestResolver], ready: ReportReady) -> None:
    async with asyncio.TaskGroup() as tasks:
        for one in resolvers:
            assert not one.zone.delegations, "asking would be from another namespace"
            with inside(one.namespace):
                udp, tcp = _open(one.addresses)
            tasks.create_task(serve_sockets(udp, tcp, truth(one.zone), lambda: None))
        ready()  # what arrives from now on waits in the sockets


def serve_operator_resolver(addresses: Sequence[str], respond: Respond, ready: ReportReady) -> NoReturn:
    """Serve an operator's own resolver on port 53 of `addresses`, UDP and TCP, until SIGTERM.

    Call it in the resolver's network namespace. `respond` may lie, or return None for no answer.
    """
    run_service(lambda ready: serve_dns(addresses, respond, ready), ready)


async def serve_dns(addresses: Iterable[str], respond: Respond, ready: ReportReady) -> None:
    """Answer on port 53 of each address, UDP and TCP, forever."""
    await serve_sockets(*_open(addresses), respond, ready)


def _open(addresses: Iterable[str]) -> tuple[list[socket], list[socket]]:
    """Sockets of UDP, and of TCP, in the namespace where this process is."""
    addresses = list(addresses)
    return [udp_socket(each, PORT) for each in addresses], [stream_socket(each, PORT) for each in addresses]


async def serve_sockets(
    udp: Iterable[socket],
    tcp: Iterable[socket],
    respond: Respond,
    ready: ReportReady,
    context: ssl.SSLContext | None = None,
) -> None:
    """Answer on open sockets forever: datagrams, and length-prefixed queries over TCP (RFC 7766).

    Over TCP queries may be pipelined. With a `context`, TCP is TLS. A bug in `respond` is raised here.
    """

    def datagram(query: bytes, _: Client) -> Reply:
        reply = respond(query)
        if reply is None or isinstance(reply, bytes):
            return cut(query, reply)
        return later(query, reply)

    def cut(query: bytes, reply: bytes | None) -> bytes | None:
        return None if reply is None else for_udp(query, reply)

    async def later(query: bytes, coming: Awaitable[bytes | None]) -> bytes | None:
        return cut(query, await coming)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE):
                length = int.from_bytes(await reader.readexactly(2), "big")
                query = await reader.readexactly(length)
            reply = await settled(respond(query))
            if reply is not None:
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()

    failure = new_failure()
    await serve_datagrams(udp, datagram, failure)
    await serve_streams(tcp, converse, failure, context)
    ready()
    await failure
