"""Datagrams without a form, and the pair that makes them so."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.evade.mask import NONCE, mask, unmask
from testbed.evade.masked import serve_masked

INITIATION = b"\x01\x00\x00\x00" + bytes(144)  # WireGuard's first message (its paper, section 5.4.2)


@given(st.binary(max_size=1500), st.binary(max_size=20), st.binary(min_size=NONCE, max_size=NONCE))
def test_what_is_masked_comes_back(data, key, nonce):
    assert unmask(mask(data, key, nonce), key) == data


@given(st.binary(max_size=20))
def test_junk_is_no_error(data):
    assert len(unmask(data, b"key")) == max(0, len(data) - NONCE)


def test_nothing_of_the_form_is_left():
    once, again = (mask(INITIATION, b"key", bytes([n]) * NONCE) for n in (1, 2))
    assert INITIATION[:4] not in (once[:4], again[:4])
    assert once[NONCE:] != again[NONCE:]
    assert bytes(16) not in once


class Echo(asyncio.DatagramProtocol):
    def __init__(self, seen: list[bytes]) -> None:
        self.seen = seen

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.seen.append(data)
        self.transport.sendto(data.upper(), addr)


class Ask(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.answer.set_result(data)


def test_through_both_ends_and_back() -> None:
    async def run() -> tuple[bytes, list[bytes]]:
        loop, seen = asyncio.get_running_loop(), list[bytes]()
        echo, _ = await loop.create_datagram_endpoint(lambda: Echo(seen), local_addr=("127.0.0.1", 0))
        at = echo.get_extra_info("sockname")
        far = await serve_masked(("127.0.0.1", 0), at, b"key", masks=False)
        near = await serve_masked(("127.0.0.1", 0), far.get_extra_info("sockname"), b"key", masks=True)
        client, ask = await loop.create_datagram_endpoint(Ask, remote_addr=near.get_extra_info("sockname"))
        client.sendto(b"hello")
        got = await asyncio.wait_for(ask.answer, 20)
        for one in (echo, far, near, client):
            one.close()
        await asyncio.sleep(0.05)
        return got, seen

    assert asyncio.run(run()) == (b"HELLO", [b"hello"])
