"""Whatever comes: no exception, one of the three answers, and time that grows with the input, not faster."""

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.censor.ja4 import is_ja4, ja4
from testbed.censor.parsers import PROTOCOLS, Transport, Unread, quic, tls
from testbed.censor.parsers.message import Message
from testbed.censor.parsers.registry import recognise
from tests.censor.line import hello
from tests.censor.parsers.test_protocols import SAMPLES
from tests.censor.parsers.test_quic import HELLO, client, crypto, initial

TRANSPORTS: tuple[Transport, ...] = ("tcp", "udp")
SEEDS = [payload for _, _, payload, _ in SAMPLES.values()]


@st.composite
def bent(draw: st.DrawFn, seeds: list[bytes] = SEEDS) -> bytes:
    """A real message, cut, with some bytes changed and junk behind."""
    payload = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(payload)))
    return bytes(payload[:end]) + draw(st.binary(max_size=40))


def check_hello(found: tls.ClientHello | Unread) -> None:
    assert isinstance(found, tls.ClientHello | Unread)
    if isinstance(found, tls.ClientHello):
        assert is_ja4(ja4(found, "t"))


@given(st.binary(max_size=400) | bent())
def test_protocols(payload: bytes) -> None:
    for protocol in PROTOCOLS:
        for transport in TRANSPORTS:
            found = recognise(protocol, payload, transport)
            assert isinstance(found, Message | Unread)
            if isinstance(found, Message) and found.hello is not None:
                check_hello(found.hello)


@given(
    st.binary(max_size=400)
    | bent([hello("x.com"), hello("x.com", pad=90, extra=b"\0\x10\0\x05\0\x03\x02h2")])
)
def test_hellos(payload: bytes) -> None:
    check_hello(tls.client_hello(payload))
    check_hello(tls.hello_message(payload))
    check_hello(tls.hello_message(payload[5:]))


@given(st.lists(st.binary(max_size=300) | bent([client()[0], initial(crypto(0, HELLO))]), max_size=5))
def test_datagrams(datagrams: list[bytes]) -> None:
    reader = quic.InitialReader()
    for datagram in datagrams:
        check_hello(reader.feed(datagram))


@given(st.lists(st.binary(max_size=60) | bent([crypto(0, HELLO), crypto(3, HELLO[3:90])]), max_size=4))
def test_frames(packets: list[bytes]) -> None:
    """Frames as they come once decrypted, which junk on the wire never reaches."""
    reader = quic.InitialReader()
    for number, frames in enumerate(packets):
        check_hello(reader.feed(initial(frames, number=number)))


_PARSERS: dict[str, Callable[[bytes], object]] = {
    **{
        f"{name} {transport}": lambda data, name=name, transport=transport: recognise(name, data, transport)
        for name in PROTOCOLS
        for transport in TRANSPORTS
    },
    "client_hello": tls.client_hello,
    "hello_message": tls.hello_message,
    "Initial": lambda data: quic.InitialReader().feed(data),
    "frames": lambda data: quic.InitialReader()._take(data),
}
_SIZE = 64_000


def _worst() -> list[bytes]:
    """Long inputs that keep each parser busy to the end."""
    extensions = b"\xaa\xaa\0\0" * (_SIZE // 4 - 40)
    body = (
        b"\x03\x03" + bytes(32) + b"\0\0\x02\x13\x01\x01\0" + len(extensions).to_bytes(2, "big") + extensions
    )
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return [
        bytes(_SIZE),
        b"\x01\0" * (_SIZE // 2),  # PING and PADDING in turn
        b"\x06\0\x01x" * (_SIZE // 4),
        b"\x02\0\0\xbf\xff\xff\xff" + b"\x01" * _SIZE,
        message,
        b"\x16\x03\x01\0\x01\x01" * (_SIZE // 6),
        b"\x16\x03\x01" + (18_000).to_bytes(2, "big") + bytes(_SIZE),
        (b"\xc0\0\0\0\x01\0\0\0\x01\0" * (_SIZE // 10)),
        (b"\xd0\0\0\0\x01\0\0\x01\0" * (_SIZE // 9)),
        (b"x" * 20 + b"\x80") * (_SIZE // 21),
        random.Random(1).randbytes(_SIZE),
    ]


@pytest.mark.parametrize("name", _PARSERS)
def test_long_inputs_take_linear_time(name: str) -> None:
    """64 KB in far less than what a quadratic reading would need (minutes)."""
    start = time.process_time()
    for payload in _worst():
        _PARSERS[name](payload)
    assert time.process_time() - start < 1.0
