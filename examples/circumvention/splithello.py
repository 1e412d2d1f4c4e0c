"""splithello: an HTTP CONNECT proxy that sends the ClientHello in two pieces, cut inside the server's name.

python splithello.py PORT
"""

import asyncio
import socket
import sys

HEADER = 5  # bytes of a TLS record's header; the last two are its length


def cut(hello: bytes, name: str) -> tuple[bytes, bytes]:
    """The two pieces; a record without that name is cut in its middle."""
    at = hello.find(name.encode())
    place = at + len(name) // 2 if at >= 0 else len(hello) // 2
    return hello[:place], hello[place:]


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: CONNECT, the ClientHello in pieces, then everything as it comes."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split()
    name, _, port = request[1].rpartition(":")
    try:
        behind, ahead = await asyncio.open_connection(name, int(port), family=socket.AF_INET)
    except OSError:
        writer.write(b"HTTP/1.1 502 no connection\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 connected\r\n\r\n")
    ahead.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    header = await reader.readexactly(HEADER)
    hello = header + await reader.readexactly(int.from_bytes(header[3:], "big"))
    for piece in cut(hello, name):
        ahead.write(piece)
        await ahead.drain()
        await asyncio.sleep(0.05)  # else the kernel may put both into one segment
    await asyncio.gather(forward(reader, ahead), forward(behind, writer))


async def forward(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    """Bytes in one direction until their end."""
    try:
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
    except OSError:
        pass  # reset: the other direction will notice
    to.close()


async def serve(port: int) -> None:
    """Serve on loopback until the process ends."""
    server = await asyncio.start_server(converse, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
