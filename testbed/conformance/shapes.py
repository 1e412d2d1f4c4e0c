"""ClientHellos with the shapes of real clients."""

import struct
from typing import Final

from testbed.conformance.payloads import X, extension, record, server_name

JA4: Final = "t13d1516h2_8daaf6152771_d8a2da3f94cd"

_CIPHERS: Final = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9),
    *(0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
_SIGNATURES: Final = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
_GREASE: Final = 0x4A4A


def _list(numbers: tuple[int, ...], width: int = 2) -> bytes:
    packed = struct.pack(f"!{len(numbers)}H", *numbers)
    return len(packed).to_bytes(width, "big") + packed


def chrome(name: str = X, *, key_share: int = 1216, ech: bool = True) -> bytes:
    """Chrome of 2025-26 in one record: 15 ciphers, 16 extensions, ALPN h2, fingerprint `JA4`.

    The post-quantum key share (1,216 bytes) makes it longer than a packet; 32 gives the short form of tests.
    """
    protocols = b"\x02h2\x08http/1.1"
    shares = struct.pack("!HHB", _GREASE, 1, 0) + struct.pack("!HH", 0x11EC, key_share) + bytes(key_share)
    shares += struct.pack("!HH", 0x001D, 32) + bytes(32)
    made = [
        extension(_GREASE, b""),
        server_name(name),
        extension(0x0017, b""),
        extension(0xFF01, b"\0"),
        extension(0x000A, _list((_GREASE, 0x11EC, 0x001D, 0x0017, 0x0018))),
        extension(0x000B, b"\1\0"),
        extension(0x0023, b""),
        extension(0x0010, len(protocols).to_bytes(2, "big") + protocols),
        extension(0x0005, b"\1\0\0\0\0"),
        extension(0x000D, _list(_SIGNATURES)),
        extension(0x0012, b""),
        extension(0x0033, len(shares).to_bytes(2, "big") + shares),
        extension(0x002D, b"\1\1"),
        extension(0x002B, b"\6" + struct.pack("!HHH", _GREASE, 0x0304, 0x0303)),
        extension(0x001B, b"\2\0\2"),
        extension(0x44CD, b"\0\3\2h2"),
    ]
    if ech:
        made.append(extension(0xFE0D, b"\0\0\1\0\1\x2a\0\x20" + bytes(32) + b"\0\x90" + bytes(144)))
    extensions = b"".join(made)
    body = b"\x03\x03" + bytes(range(32)) + b"\x20" + bytes(32) + _list((_GREASE, *_CIPHERS)) + b"\1\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    return record(b"\1" + len(body).to_bytes(3, "big") + body)
