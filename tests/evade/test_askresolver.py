"""Asking a resolver on loopback, over TCP and UDP, and what it may answer. TLS and HTTPS: in worlds."""

import asyncio
import socket

import dns.flags
import dns.message
import dns.rrset
import pytest

from testbed.evade.askresolver import addresses_from
from testbed.evade.relay import serve_relay
from testbed.evade.resolverurl import AskedResolver
from testbed.evade.strategy import parse_plan

RECORDS = {
    ("four.example.", "A"): ["127.0.0.1"],
    ("six.example.", "AAAA"): ["::1"],
    ("alias.example.", "A"): ["CNAME four.example.", "127.0.0.1"],
}


def answered(wire: bytes) -> bytes:
    query = dns.message.from_wire(wire)
    question = query.question[0]
    name, kind = question.name.to_text(), question.rdtype.name
    answer = dns.message.make_response(query)
    if name == "other.example.":
        answer.id ^= 1
    for text in RECORDS.get((name, kind), ()):
        alias = text.startswith("CNAME ")
        words = ("CNAME", text.removeprefix("CNAME ")) if alias else (kind, text)
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", *words))
    return answer.to_wire()


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: object) -> None:
        self.transport.sendto(answered(data), peer)


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        asked = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        found = answered(asked)
        if b"\x05short" not in asked:
            writer.write(len(found).to_bytes(2, "big") + found)
    finally:
        writer.close()  # or Python 3.11.2 leaves it to the garbage collector


def with_resolver(scheme, work):
    """What `work` of the resolver's URL comes to."""

    async def run():
        server = await asyncio.start_server(stream, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", port))
        async with server:
            try:
                return await work(f"{scheme}://127.0.0.1:{port}")
            finally:
                transport.close()
                while len(asyncio.all_tasks()) > 1:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)  # transports close one turn of the loop later

    return asyncio.run(run())


def asked(scheme, name):
    return with_resolver(scheme, lambda url: addresses_from(AskedResolver.read(url), name))


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("name", "addresses"),
    [("four.example", ["127.0.0.1"]), ("six.example", ["::1"]), ("alias.example", ["127.0.0.1"])],
)
def test_addresses(scheme, name, addresses):
    assert asked(scheme, name) == addresses


@pytest.mark.parametrize(
    ("scheme", "name", "said"),
    [
        ("udp", "none.example", "127.0.0.1 says that none.example has no address"),
        ("udp", "other.example", "127.0.0.1 does not say where other.example is"),
        ("tcp", "short.example", "127.0.0.1 does not say where short.example is"),
        ("tcp", "a..b", "127.0.0.1 does not say where a..b is"),
        ("tls", "four.example", "."),  # it speaks no TLS
    ],
)
def test_what_is_no_answer(scheme, name, said):
    with pytest.raises(OSError, match=said):
        asked(scheme, name)


def test_the_relay_goes_where_this_resolver_says():
    """Twin: without it the system's is asked, which does not know the name."""

    async def fetched(url):
        async def serve(_, writer):
            writer.write(b"welcome")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1].to_bytes(2, "big")
        replies = []
        for plan in ([f"dns:{url}"], []):
            relay = await serve_relay("127.0.0.1", 0, parse_plan(plan))
            async with relay:
                reader, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
                writer.write(b"\5\1\0" + b"\5\1\0\3\x0cfour.example" + port)
                replies.append((await reader.read(-1))[2:])
                writer.close()
        server.close()
        await server.wait_closed()
        return replies

    there, here = with_resolver("tcp", fetched)
    assert there == b"\5\0\0\1" + bytes(6) + b"welcome"
    assert here[1] != 0


@pytest.fixture(autouse=True)
def _nobody_else_is_asked(monkeypatch):
    """`four.example` is not asked of the machine's resolver."""
    real = socket.getaddrinfo

    def numbers(host, *rest, **named):
        if host == "four.example":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", numbers)
