"""Switching off segmentation, receive and checksum offloads, so that packets look as they do on a wire.

It uses the ethtool ioctl, which every kernel has (linux/ethtool.h).
"""

import array
import fcntl
import re
import socket
import struct
from collections.abc import Iterable

from testbed.errors import InvalidRunError

_SIOCETHTOOL = 0x8946
_GSTRINGS, _GSSET_INFO, _GFEATURES, _SFEATURES = 0x1B, 0x37, 0x3A, 0x3B
_SET_OF_FEATURES = 4  # ETH_SS_FEATURES
_NAME = 32  # ETH_GSTRING_LEN
_BLOCK = 32  # feature bits per block

# Everything that merges, splits or leaves a checksum to the device; "tx-lockless" and the like do not.
_OFFLOAD = re.compile(
    r"tx-.*segmentation|tx-generic-segmentation|tx-gso-.*|tx-scatter-gather.*|tx-checksum-.*|rx-checksum"
    r"|rx-gro.*|rx-lro|tx-udp_tnl.*"
)


class Offloads:
    """Switches offloads off and reports those that are on. The kernel's feature names are read once."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._bits: list[int] = []  # of those that are offloads

    def off(self, interfaces: Iterable[str]) -> None:
        """Switch them off on these interfaces of the current namespace, and verify it.

        Errors: InvalidRunError naming interface and features that stayed on.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for interface in interfaces:
                self._learn(control, interface)
                self._request_off(control, interface)
                if stayed := self._active(control, interface):
                    raise InvalidRunError(f"interface {interface}: offloads stay on: {', '.join(stayed)}")

    def active(self, interface: str) -> list[str]:
        """The offloads that are on now at an interface of the current namespace."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            self._learn(control, interface)
            return self._active(control, interface)

    def _learn(self, control: socket.socket, interface: str) -> None:
        if not self._names:
            self._names = _feature_names(control, interface)
            self._bits = [bit for bit, name in enumerate(self._names) if _OFFLOAD.fullmatch(name)]

    def _request_off(self, control: socket.socket, interface: str) -> None:
        _, available, never = self._read(control, interface)
        changed = sum(1 << bit for bit in self._bits) & available & ~never
        blocks = self._blocks()
        request = struct.pack("II", _SFEATURES, blocks)
        for block in range(blocks):
            request += struct.pack("II", changed >> block * _BLOCK & 0xFFFFFFFF, 0)
        _ethtool(control, interface, request)

    def _active(self, control: socket.socket, interface: str) -> list[str]:
        active, _, _ = self._read(control, interface)
        return [self._names[bit] for bit in self._bits if active >> bit & 1]

    def _read(self, control: socket.socket, interface: str) -> tuple[int, int, int]:
        """Bit sets: active now, changeable, never changeable."""
        blocks = self._blocks()
        answer = _ethtool(control, interface, struct.pack("II", _GFEATURES, blocks) + bytes(16 * blocks))
        active = available = never = 0
        for block in range(blocks):
            can, _, now, fixed = struct.unpack_from("IIII", answer, 8 + 16 * block)
            active |= now << block * _BLOCK
            available |= can << block * _BLOCK
            never |= fixed << block * _BLOCK
        return active, available, never

    def _blocks(self) -> int:
        return -(-len(self._names) // _BLOCK)


def _feature_names(control: socket.socket, interface: str) -> list[str]:
    answer = _ethtool(control, interface, struct.pack("IIQI", _GSSET_INFO, 0, 1 << _SET_OF_FEATURES, 0))
    count = struct.unpack_from("I", answer, 16)[0]
    request = struct.pack("III", _GSTRINGS, _SET_OF_FEATURES, count) + bytes(_NAME * count)
    text = _ethtool(control, interface, request)[12:]
    return [text[i * _NAME : (i + 1) * _NAME].split(b"\0", 1)[0].decode() for i in range(count)]


def _ethtool(control: socket.socket, interface: str, request: bytes) -> bytes:
    buffer = array.array("B", request)
    fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), buffer.buffer_info()[0]))
    return buffer.tobytes()
