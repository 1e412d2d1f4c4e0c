"""The transparent proxy, on loopback: whose name is in the ClientHello is whom it reaches."""

import asyncio
import socket

import pytest

from testbed.internet.services.base import Place
from testbed.internet.services.sni_proxy import SniProxy
from testbed.internet.zone import Zone
from testbed.model import Host
from testbed.shapes.hellobytes import hello_of, record, server_name

ANSWER = b"the site's own answer"


def client_hello(name: str) -> bytes:
    return record(hello_of([server_name(name)], [0x1301]))


async def through_proxy(sent: bytes) -> tuple[bytes, bytes]:
    """What the site received, and what came back to the client."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.readexactly(len(sent)))
        writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(site, "127.0.0.1", 0)
    listening = socket.create_server(("127.0.0.1", 0))
    place = Place(
        Host("passing"),
        ("127.0.0.1",),
        {("tcp", 443): (listening,)},
        None,
        lambda: Zone({"twitter.com": ("127.0.0.1", "::1")}),
    )
    service = SniProxy(onward=server.sockets[0].getsockname()[1])
    ready = asyncio.Event()
    serving = asyncio.create_task(service.serve(place, ready.set))
    await ready.wait()
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(sent)
    back = await reader.read()
    writer.close()
    while len(asyncio.all_tasks()) > 2:  # the connection's own are ending
        await asyncio.sleep(0.01)
    serving.cancel()
    listening.close()
    server.close()
    return received.result() if received.done() else b"", back


def test_a_site_of_the_world_is_reached_by_its_name() -> None:
    sent = client_hello("twitter.com")
    assert asyncio.run(through_proxy(sent)) == (sent, ANSWER)


@pytest.mark.parametrize("sent", [client_hello("nowhere.example"), b"GET / HTTP/1.1\r\n\r\n", bytes(5)])
def test_others_are_closed(sent: bytes) -> None:
    assert asyncio.run(through_proxy(sent)) == (b"", b"")
