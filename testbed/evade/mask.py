"""Datagrams without a form: each is XORed with a stream of its own, so that no handshake is recognised.

A stand-in for the disguised tunnels of 2023, and no encryption: the key is no secret worth the name. Pure.
"""

import hashlib

NONCE = 8  # random bytes before each datagram


def mask(data: bytes, key: bytes, nonce: bytes) -> bytes:
    """The datagram as it crosses the network; `nonce` has `NONCE` bytes, new ones each time."""
    return nonce + _xor(data, key + nonce)


def unmask(data: bytes, key: bytes) -> bytes:
    """What `mask` was given; b"" for a datagram that is too short."""
    return _xor(data[NONCE:], key + data[:NONCE])


def _xor(data: bytes, seed: bytes) -> bytes:
    stream = hashlib.shake_128(seed).digest(len(data))
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")
