"""Writing pcapng: one little-endian section, interfaces by name, packets with nanoseconds and comments."""

import struct
from typing import IO, Final

from testbed.capture.pcapng import MAGIC

_PACKET: Final = struct.Struct("<IIIIIII")
_OPTION: Final = struct.Struct("<HH")
_COMMENT, _NAME, _TSRESOL = 1, 2, 9
_NANOSECONDS: Final = b"\x09"  # 10^-9
_END: Final = bytes(4)


class PcapngWriter:
    """Writes packets in the order given; an interface is described before its first packet."""

    def __init__(self, file: IO[bytes], comment: str = "") -> None:
        self._file = file
        self._interfaces: dict[tuple[str, int], int] = {}
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(MAGIC, body + _options((_COMMENT, comment)))

    def packet(self, interface: str, link: int, time: int, data: bytes, wire: int, comment: str = "") -> None:
        """Write one packet: `time` in ns since 1970, `wire` its length on the wire in bytes."""
        number = self._interfaces.get((interface, link))
        if number is None:
            number = self._interfaces[interface, link] = len(self._interfaces)
            body = struct.pack("<HHI", link, 0, 0)
            options = _option(_NAME, interface.encode()) + _option(_TSRESOL, _NANOSECONDS) + _END
            self._block(b"\1\0\0\0", body + options)
        options = _options((_COMMENT, comment)) if comment else b""
        size, padding = len(data), -len(data) % 4
        total = 32 + size + padding + len(options)
        head = _PACKET.pack(6, total, number, time >> 32, time & 0xFFFFFFFF, size, wire)
        self._file.write(b"".join((head, data, bytes(padding), options, total.to_bytes(4, "little"))))

    def _block(self, kind: bytes, body: bytes) -> None:
        size = (12 + len(body)).to_bytes(4, "little")
        self._file.write(kind + size + body + size)


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def _options(*options: tuple[int, str]) -> bytes:
    encoded = b"".join(_option(code, text.encode()[:65_000]) for code, text in options if text)
    return encoded + _END if encoded else b""
