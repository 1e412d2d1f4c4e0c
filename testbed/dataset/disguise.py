"""Addresses and ports of a packet replaced by others, and every other bit kept.

Checksums are changed by the difference (RFC 1624), so that a wrong one stays wrong. In an ICMP error the
packet that it quotes is changed, too.
"""

from collections.abc import Mapping
from typing import Final

from testbed.censor.packet import ICMP, ICMP6, TCP, UDP
from testbed.censor.wire import checksum

_SUM_AT: Final = {TCP: 16, UDP: 6}  # in the transport header
_ERRORS: Final = {ICMP: frozenset({3, 11, 12}), ICMP6: frozenset({1, 2, 3, 4})}  # types that quote a packet


def disguised(raw: bytes, addresses: Mapping[bytes, bytes], ports: Mapping[int, int]) -> bytes:
    """The packet with these addresses and ports; those that are not named stay."""
    made = bytearray(raw)
    _change(made, 0, addresses, ports)
    return bytes(made)


def _change(made: bytearray, start: int, addresses: Mapping[bytes, bytes], ports: Mapping[int, int]) -> None:
    if len(made) - start < 20:
        return
    six = made[start] >> 4 == 6
    size = 16 if six else 4
    at = start + (8 if six else 12)
    transport = start + (40 if six else 4 * (made[start] & 15))
    protocol = made[start + (6 if six else 9)]
    old = bytes(made[at : at + 2 * size])
    new = b"".join(addresses.get(one, one) for one in (old[:size], old[size:]))
    made[at : at + 2 * size] = new
    if not six:
        _adjust(made, start + 10, old, new)
    if protocol in _SUM_AT and len(made) >= transport + 4:
        before = bytes(made[transport : transport + 4])
        after = b"".join(
            ports.get(one, one).to_bytes(2, "big")
            for one in (int.from_bytes(before[:2], "big"), int.from_bytes(before[2:], "big"))
        )
        made[transport : transport + 4] = after
        _adjust(made, transport + _SUM_AT[protocol], old + before, new + after)
    elif protocol in _ERRORS and len(made) >= transport + 8:
        quoted = bytes(made[transport + 8 :])
        if made[transport] in _ERRORS[protocol]:
            _change(made, transport + 8, addresses, ports)
        if six:  # only ICMPv6 covers the addresses (RFC 4443 §2.3)
            quoted, changed = old + quoted, new + bytes(made[transport + 8 :])
        else:
            changed = bytes(made[transport + 8 :])
        _adjust(made, transport + 2, quoted, changed)


def _adjust(made: bytearray, at: int, old: bytes, new: bytes) -> None:
    """Change the checksum at `at` as the data that it covers changed; UDP's "none" stays."""
    if len(made) < at + 2 or made[at : at + 2] == b"\0\0":
        return
    total = (~int.from_bytes(made[at : at + 2], "big") & 0xFFFF) + checksum(old) + (~checksum(new) & 0xFFFF)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    made[at : at + 2] = (~total & 0xFFFF).to_bytes(2, "big")
