"""TLS ClientHellos (RFC 8446 section 4.1.2), byte for byte: extensions, messages, records."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from random import Random
from typing import Final

GREASE: Final = 0x4A4A  # RFC 8701; real clients draw one of sixteen
MLKEM: Final = 0x11EC  # X25519MLKEM768
X25519, P256, P384, P521, FFDHE2048, FFDHE3072 = 0x001D, 0x0017, 0x0018, 0x0019, 0x0100, 0x0101
MLKEM_SHARE: Final = 1216  # bytes of its key share
_BASE: Final = b"\x09".ljust(32, b"\0")  # of X25519 (RFC 7748 4.1)
_G: Final = (  # of P-256 (SP 800-186 3.2.1.3)
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_KEYS: Final = {X25519: _BASE, P256: b"\4" + bytes.fromhex(_G), MLKEM: bytes(1184) + _BASE}

_CHROME_CIPHERS: Final = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9),
    *(0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
_CHROME_SIGNATURES: Final = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
_ECH_SIZES: Final = (144, 176, 208, 240)  # of a GREASE ECH's payload: with them the sizes of TRACES come out


def vector(data: bytes, width: int) -> bytes:
    """Data with its length in `width` bytes before it."""
    return len(data).to_bytes(width, "big") + data


def numbers(given: Sequence[int], width: int = 2) -> bytes:
    """A list of 16-bit numbers with its length before it."""
    return vector(struct.pack(f"!{len(given)}H", *given), width)


def extension(kind: int, data: bytes = b"") -> bytes:
    """One extension."""
    return kind.to_bytes(2, "big") + vector(data, 2)


def server_name(name: str) -> bytes:
    """The server_name extension; b"" for an address, which it must not have (RFC 6066 §3)."""
    with suppress(ValueError):
        ip_address(name)
        return b""
    return extension(0, vector(b"\0" + vector(name.encode(), 2), 2))


def protocols(*names: str) -> bytes:
    """The ALPN extension."""
    return extension(0x10, vector(b"".join(vector(name.encode(), 1) for name in names), 2))


def shares(*sizes: tuple[int, int]) -> bytes:
    """The key_share extension: group and bytes of each share.

    The keys are the groups' own base points, and for ML-KEM one that is all zero: any server takes them and
    answers, though nobody could go on with such a handshake.
    """
    each = b"".join(
        struct.pack("!HH", group, size) + _KEYS.get(group, b"").ljust(size, b"\0")[:size]
        for group, size in sizes
    )
    return extension(0x33, vector(each, 2))


def outer_ech(payload: int) -> bytes:
    """An encrypted_client_hello extension of the outer kind, its payload of so many bytes."""
    return extension(0xFE0D, b"\0\0\1\0\1\x2a" + vector(bytes(32), 2) + vector(bytes(payload), 2))


def hello_of(extensions: Sequence[bytes], ciphers: Sequence[int], *, session: int = 32) -> bytes:
    """A ClientHello message with these extensions in this order, no record around it."""
    body = b"\x03\x03" + bytes(range(32)) + vector(bytes(session), 1) + numbers(ciphers) + b"\1\0"
    return b"\1" + vector(body + vector(b"".join(extensions), 2), 3)


def padded(extensions: Sequence[bytes], ciphers: Sequence[int], size: int) -> bytes:
    """The same of `size` bytes, by a padding extension at its end (RFC 7685)."""
    missing = size - len(hello_of(extensions, ciphers)) - 4
    return hello_of([*extensions, extension(21, bytes(missing))] if missing >= 0 else extensions, ciphers)


def record(message: bytes) -> bytes:
    """A handshake message in one TLS record."""
    return b"\x16\x03\x01" + vector(message, 2)


def chrome_extensions(
    name: str, *, key_share: int = MLKEM_SHARE, ech: int | None = 144, quic: bool = False
) -> list[bytes]:
    """The extensions of Chrome 2025-26, GREASE first; `ech` is the size of the GREASE ECH's payload."""
    versions = (0x0304,) if quic else (0x0304, 0x0303)
    made = [
        extension(GREASE),
        server_name(name),
        extension(0x0017),
        extension(0xFF01, b"\0"),
        extension(0x000A, numbers((GREASE, MLKEM, X25519, P256, P384))),
        extension(0x000B, b"\1\0"),
        extension(0x0023),
        protocols("h3") if quic else protocols("h2", "http/1.1"),
        extension(0x0005, b"\1\0\0\0\0"),
        extension(0x000D, numbers(_CHROME_SIGNATURES)),
        extension(0x0012),
        shares((GREASE, 1), (MLKEM, key_share), (X25519, 32)),
        extension(0x002D, b"\1\1"),
        extension(0x002B, vector(struct.pack(f"!{1 + len(versions)}H", GREASE, *versions), 1)),
        extension(0x001B, b"\2\0\2"),
        extension(0x44CD, b"\0\3\2h2"),
    ]
    if quic:  # TLS 1.2's extensions are not offered; transport parameters are
        left_out = {b"\0\x17", b"\xff\x01", b"\0\x0b", b"\0\x23", b"\0\x05", b"\0\x12"}
        made = [one for one in made if one[:2] not in left_out] + [extension(0x39, bytes(60))]
    return made if ech is None else [*made, outer_ech(ech)]


def chrome(name: str, *, key_share: int = MLKEM_SHARE, ech: bool = True) -> bytes:
    """Chrome of 2025-26 in one record: 15 ciphers, 16 extensions, ALPN h2.

    The post-quantum key share (1,216 bytes) makes it longer than a packet; 32 gives the short form of tests.
    """
    extensions = chrome_extensions(name, key_share=key_share, ech=144 if ech else None)
    return record(hello_of(extensions, (GREASE, *_CHROME_CIPHERS)))


def chrome_drawn(name: str, draw: int, *, quic: bool = False) -> bytes:
    """The message of one connection of Chrome: it permutes its extensions, and its ECH has one of four sizes.

    So the name is in the first segment of some connections and in the second of others (TRACES: 50 and 51 of
    107, across the boundary in 6). `draw` numbers the connection.
    """
    chance = Random(draw)
    first, *others = chrome_extensions(name, ech=chance.choice(_ECH_SIZES), quic=quic)
    chance.shuffle(others)
    return hello_of(
        [first, *others, extension(GREASE, b"\0")], (GREASE, *_CHROME_CIPHERS), session=0 if quic else 32
    )
