"""Writing pcapng: one little-endian section, interfaces by name, packets with nanoseconds and comments.

Blocks and options: draft-ietf-opsawg-pcapng §4 and §3.5.
"""

import os
import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Final

from testbed.capture.pcapng import MAGIC

_PACKET: Final = struct.Struct("<IIIIIII")
_OPTION: Final = struct.Struct("<HH")
_COMMENT, _NAME, _DESCRIPTION, _FLAGS, _TSRESOL = 1, 2, 3, 2, 9
_RECEIVED, _DROPPED = 4, 5  # isb_ifrecv, isb_ifdrop
_NAMES, _STATISTICS, _SECRETS = b"\4\0\0\0", b"\5\0\0\0", b"\x0a\0\0\0"
_TLS_KEY_LOG: Final = 0x544C534B
_NANOSECONDS: Final = b"\x09"  # 10^-9
_END: Final = bytes(4)
_LONGEST: Final = 65_000  # bytes of an option's value; it has 16 bits


class PcapngWriter:
    """Writes packets in the order given; an interface is described before its first packet."""

    def __init__(self, file: IO[bytes], comment: str = "") -> None:
        self._file = file
        self._interfaces: dict[tuple[str, int], int] = {}
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(MAGIC, body + _options((_COMMENT, comment)))

    def interface(self, name: str, link: int, description: str = "") -> int:
        """Describe an interface, and its number; one that is known already has its own."""
        number = self._interfaces.get((name, link))
        if number is None:
            number = self._interfaces[name, link] = len(self._interfaces)
            body = struct.pack("<HHI", link, 0, 0) + _option(_NAME, name.encode())
            body += _option(_DESCRIPTION, description.encode()) if description else b""
            self._block(b"\1\0\0\0", body + _option(_TSRESOL, _NANOSECONDS) + _END)
        return number

    def packet(
        self,
        interface: str,
        link: int,
        time: int,
        data: bytes,
        wire: int,
        comment: str = "",
        *,
        outgoing: bool | None = None,
    ) -> None:
        """Write one packet: `time` in ns since 1970, `wire` its length on the wire in bytes.

        `outgoing`: whether the interface sent it; None: not known.
        """
        number = self.interface(interface, link)
        options = _option(_COMMENT, comment.encode()[:_LONGEST]) if comment else b""
        if outgoing is not None:
            options += _option(_FLAGS, struct.pack("<I", 2 if outgoing else 1))
        options += _END if options else b""
        size, padding = len(data), -len(data) % 4
        total = 32 + size + padding + len(options)
        head = _PACKET.pack(6, total, number, time >> 32, time & 0xFFFFFFFF, size, wire)
        self._file.write(b"".join((head, data, bytes(padding), options, total.to_bytes(4, "little"))))

    def names(self, names: Mapping[str, Iterable[str]]) -> None:
        """Write a name resolution block: address -> its names."""
        body = b""
        for address, known in names.items():
            packed = ip_address(address).packed
            value = packed + b"".join(name.encode() + b"\0" for name in known)
            body += _option(1 if len(packed) == 4 else 2, value)
        self._block(_NAMES, body + _END)

    def tls_secrets(self, key_log: bytes) -> None:
        """Write a decryption secrets block: lines as TLS programs write them for SSLKEYLOGFILE."""
        body = struct.pack("<II", _TLS_KEY_LOG, len(key_log)) + key_log
        self._block(_SECRETS, body + bytes(-len(body) % 4))

    def statistics(self, number: int, time: int, received: int, dropped: int) -> None:
        """Write an interface statistics block: packets that it received, and those of them that were lost."""
        body = struct.pack("<III", number, time >> 32, time & 0xFFFFFFFF)
        for code, count in ((_RECEIVED, received), (_DROPPED, dropped)):
            body += _option(code, count.to_bytes(8, "little"))
        self._block(_STATISTICS, body + _END)

    def _block(self, kind: bytes, body: bytes) -> None:
        size = (12 + len(body)).to_bytes(4, "little")
        self._file.write(kind + size + body + size)


def ends_whole(path: Path) -> bool:
    """Whether a file that was written here ends with a whole block, which has its length at both ends."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 12:
            return False
        file.seek(-4, os.SEEK_END)
        last = file.read(4)
        length = int.from_bytes(last, "little")
        if not 12 <= length <= size:
            return False
        file.seek(-length + 4, os.SEEK_END)
        return file.read(4) == last


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def _options(*options: tuple[int, str]) -> bytes:
    encoded = b"".join(_option(code, text.encode()[:_LONGEST]) for code, text in options if text)
    return encoded + _END if encoded else b""
