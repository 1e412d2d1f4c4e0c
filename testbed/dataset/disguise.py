"""Addresses and ports of a packet replaced by others, and every other bit kept.

Checksums are changed by the difference (RFC 1624), so that a wrong one stays wrong. In an ICMP error the
packet that it quotes is changed, too.
"""

from collections.abc import Mapping
from typing import Final

from testbed.censor.packet import ICMP, ICMP6, TCP, UDP
from testbed.censor.wire import checksum

_SUM_AT: Final = {TCP: 16, UDP: 6}  # in the transport header
_PLAIN4: Final = 0x45  # version 4, a header without options
_ERRORS: Final = {ICMP: frozenset({3, 11, 12}), ICMP6: frozenset({1, 2, 3, 4})}  # types that quote a packet


class Disguise:
    """Addresses and ports for those of a flow; those that are not named stay."""

    def __init__(self, addresses: Mapping[bytes, bytes], ports: Mapping[bytes, bytes]) -> None:
        """All as they are in packets: 4 or 16 bytes, and 2."""
        self._given = {16: addresses, 4: addresses, 2: ports}
        self._known: dict[bytes, tuple[bytes, int]] = {}  # a pair -> its own, and what that adds to a sum
        # Addresses and ports -> their own, and what the addresses, and all of it, add to a sum.
        self._quick: dict[bytes, tuple[bytes, int, int]] = {}

    def of(self, raw: bytes) -> bytes:
        """The packet with these addresses and ports."""
        first, size = raw[0], len(raw)
        if first == _PLAIN4 and size >= 28 and raw[9] in _SUM_AT:
            return self._plain(raw, 12, 20, raw[9])
        if first >> 4 == 6 and size >= 48 and raw[6] in _SUM_AT:
            return self._plain(raw, 8, 40, raw[6])
        made = bytearray(raw)
        self._change(made, 0)
        return bytes(made)

    def _plain(self, raw: bytes, at: int, end: int, protocol: int) -> bytes:
        """The same for a packet whose ports follow its addresses, as almost all do: in fewer steps."""
        if (known := self._quick.get(raw[at : end + 4])) is None:
            (addresses, moved), (ports, ported) = self._pair(raw[at:end]), self._pair(raw[end : end + 4])
            known = self._quick[raw[at : end + 4]] = addresses + ports, moved, moved + ported
        ends, moved, both = known
        sum_at = end + _SUM_AT[protocol]
        own, rest = raw[sum_at : sum_at + 2], raw[sum_at + 2 :]
        head = raw[:10] + _changed(raw[10:12], moved) if at == 12 else raw[:at]
        return b"".join((head, ends, raw[end + 4 : sum_at], _changed(own, both, udp=protocol == UDP), rest))

    def _change(self, made: bytearray, start: int) -> None:
        if len(made) - start < 20:
            return
        six = made[start] >> 4 == 6
        at, end = (start + 8, start + 40) if six else (start + 12, start + 20)
        transport = end if six else start + 4 * (made[start] & 15)
        protocol = made[start + (6 if six else 9)]
        made[at:end], moved = self._pair(bytes(made[at:end]))
        if not six:
            _add(made, start + 10, moved)
        if protocol in _SUM_AT and len(made) >= transport + 4:
            made[transport : transport + 4], ported = self._pair(bytes(made[transport : transport + 4]))
            _add(made, transport + _SUM_AT[protocol], moved + ported, udp=protocol == UDP)
        elif protocol in _ERRORS and len(made) >= transport + 8:
            quoted = bytes(made[transport + 8 :])
            if made[transport] in _ERRORS[protocol]:
                self._change(made, transport + 8)
            changed = _difference(quoted, bytes(made[transport + 8 :]))
            _add(made, transport + 2, changed + (moved if six else 0))  # only ICMPv6 covers the addresses

    def _pair(self, old: bytes) -> tuple[bytes, int]:
        """Source and destination, and what the change adds to a sum."""
        if (known := self._known.get(old)) is None:
            half = len(old) // 2
            new = b"".join(self._given[half].get(one, one) for one in (old[:half], old[half:]))
            known = self._known[old] = new, _difference(old, new)
        return known


def _difference(old: bytes, new: bytes) -> int:
    """What a checksum's sum gains when `new` is there for `old`, of an even offset (RFC 1624)."""
    return checksum(old) + (~checksum(new) & 0xFFFF)


def _add(made: bytearray, at: int, gained: int, *, udp: bool = False) -> None:
    """Change the checksum at `at`, if it is there, by what its sum gained."""
    if len(made) >= at + 2:
        made[at : at + 2] = _changed(bytes(made[at : at + 2]), gained, udp=udp)


def _changed(old: bytes, gained: int, *, udp: bool = False) -> bytes:
    """A checksum whose sum gained that; what was cut off stays. Of UDP 0 means none (RFC 768), and stays."""
    if len(old) < 2 or (udp and old == b"\0\0"):
        return old
    total = (~int.from_bytes(old, "big") & 0xFFFF) + gained
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    found = ~total & 0xFFFF
    return (0xFFFF if udp and not found else found).to_bytes(2, "big")
