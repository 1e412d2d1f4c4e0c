"""A call over UDP: a first message as callers send it, then two seconds of voice, there and back."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from testbed.internet.services.echo import Echo
from testbed.matrix.contender import CALLS_PORT, VOICE_FORMS
from testbed.model import Host

CALLED: Final = Host(
    "called", ("called.example.net",), ("95.216.3.250",), ("2a01:4f9:0:3::fa",), 24940, "FI",
    services=(Echo(CALLS_PORT),),
)  # fmt: skip
"""The other end, or the relay (TURN) that stands for it, at Hetzner."""
PACKETS: Final = 100  # two seconds
_EVERY: Final = 0.02  # seconds of sound in a packet: RFC 3551 section 4.2
_SOUND: Final = bytes(160)  # of G.711 (RFC 3551 section 4.5.14)
_LATE: Final = 0.5  # seconds, after which a packet is of no use: our choice


async def call(how: str, opened: Callable[[int], None]) -> float:
    """The bits per second that came back in time. ValueError if nothing did."""
    loop = asyncio.get_running_loop()
    family, *_, address = (await loop.getaddrinfo(CALLED.names[0], CALLS_PORT, type=socket.SOCK_DGRAM))[0]
    transport, line = await loop.create_datagram_endpoint(
        _Line, remote_addr=(str(address[0]), int(address[1])), family=family
    )
    opened(transport.get_extra_info("sockname")[1])
    try:
        for data in VOICE_FORMS[how][0]:
            transport.sendto(data)
        for number in range(PACKETS):
            transport.sendto(struct.pack("!BBHII", 0x80, 0, number, number * 160, 1) + _SOUND)
            await asyncio.sleep(_EVERY)
        if len(line.came) < PACKETS:
            await asyncio.sleep(_LATE)
    finally:
        transport.close()
    if not line.came:
        raise ValueError(f"none of {PACKETS} packets of voice came back")
    return 8 * len(_SOUND) * len(line.came) / (PACKETS * _EVERY)


class _Line(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came: set[int] = set()

    def datagram_received(self, data: bytes, _: tuple[str | int, int]) -> None:
        if len(data) == 12 + len(_SOUND) and data[0] == 0x80:
            self.came.add(int.from_bytes(data[2:4], "big"))
