"""STUN: the response's form byte by byte (RFC 5769's sample), and a server in a world."""

import socket

import pytest

from testbed.internet.stun import binding_response
from tests.internet.emulated import STUN

COOKIE = bytes.fromhex("2112a442")
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("00010000") + COOKIE + TRANSACTION


def test_the_client_learns_its_ipv4_address() -> None:
    """RFC 5769 section 2.2: 192.0.2.1 port 32853 is written as e1 12 a6 43, a1 47."""
    reply = binding_response(REQUEST, ("192.0.2.1", 32853))
    assert reply == bytes.fromhex("0101000c") + COOKIE + TRANSACTION + bytes.fromhex(
        "00200008 0001a147 e112a643"
    )


def test_the_client_learns_its_ipv6_address() -> None:
    """RFC 5769 section 2.3."""
    reply = binding_response(REQUEST, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))
    value = "00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9"
    assert reply == bytes.fromhex("01010018") + COOKIE + TRANSACTION + bytes.fromhex(value)


@pytest.mark.parametrize(
    "other",
    [
        b"",
        REQUEST[:19],
        b"\x00\x02" + REQUEST[2:],
        REQUEST[:4] + bytes(4) + REQUEST[8:],
        REQUEST + b"x",
        bytes(100),
    ],
)
def test_anything_else_is_not_answered(other: bytes) -> None:
    assert binding_response(other, ("192.0.2.1", 1)) is None


def asked(vantage, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((address, 3478))
        client.send(REQUEST)
        return client.recv(100), client.getsockname()[:2]


@pytest.mark.world
@pytest.mark.parametrize("address", [STUN.ipv4, STUN.ipv6])
def test_a_stun_server_of_the_world(far_side, address):
    reply, ours = far_side.call(asked, address)
    assert reply == binding_response(REQUEST, ours)
