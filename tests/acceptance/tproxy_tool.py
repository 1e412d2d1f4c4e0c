"""A transparent proxy for TPROXY (`tproxy_tool.py PORT`): it sends what came first as two TLS records.

Its own connections have the mark 2, which needs no other user.
"""

import asyncio
import socket
import sys

IP_TRANSPARENT, SO_MARK = 19, 36  # linux/in.h, asm-generic/socket.h


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of one of the two."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def converse(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    """Go on to the address that the client meant, which is the local one of its connection."""
    server = socket.socket()
    server.setblocking(False)
    server.setsockopt(socket.SOL_SOCKET, SO_MARK, 2)
    await asyncio.get_running_loop().sock_connect(server, back.get_extra_info("sockname"))
    answers, onward = await asyncio.open_connection(sock=server)
    hello = await client.read(1 << 16)
    for part in (hello[5:65], hello[65:]):
        onward.write(hello[:3] + len(part).to_bytes(2, "big") + part)
    await asyncio.gather(pipe(client, onward), pipe(answers, back))


async def main() -> None:
    """Serve."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(sys.argv[1])))
    async with await asyncio.start_server(converse, sock=listener) as serving:
        await serving.serve_forever()


asyncio.run(main())
