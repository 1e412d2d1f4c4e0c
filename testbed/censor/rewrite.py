"""Changing a packet's addresses and ports on its way, as address translation does."""

from testbed.censor.packet import ICMP6, TCP, UDP, Packet

_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP6: 2}  # in the transport header; these cover the addresses as well


def readdressed(
    packet: Packet,
    *,
    source: bytes | None = None,
    destination: bytes | None = None,
    sport: int | None = None,
    dport: int | None = None,
) -> bytes:
    """The whole packet with what is given changed; TTL, IP-ID, options and everything else are kept.

    Addresses have the packet's IP version (4 or 16 bytes), ports are for TCP and UDP; the packet is no
    fragment. Checksums are changed by the difference (RFC 1624), so a wrong one stays wrong, and a UDP
    checksum of 0 (none) stays 0.
    """
    raw = bytearray(packet.raw)
    first, second = (12, 16) if packet.version == 4 else (8, 24)
    change = _put(raw, first, source) + _put(raw, second, destination)
    if packet.version == 4:
        _adjust(raw, 10, change)
    if packet.protocol in (TCP, UDP):
        at = packet.transport_at
        change += _put(raw, at, _port(sport)) + _put(raw, at + 2, _port(dport))
    _adjust_transport(raw, packet, change)
    return bytes(raw)


def _port(number: int | None) -> bytes | None:
    return None if number is None else number.to_bytes(2, "big")


def _put(raw: bytearray, at: int, new: bytes | None) -> int:
    """Write; returns the sum of ~m + m' over the 16-bit words, which is what checksums change by."""
    if new is None:
        return 0
    change = 0
    for i in range(0, len(new), 2):
        change += 0xFFFF - int.from_bytes(raw[at + i : at + i + 2], "big")
        change += int.from_bytes(new[i : i + 2], "big")
    raw[at : at + len(new)] = new
    return change


def _adjust_transport(raw: bytearray, packet: Packet, change: int) -> None:
    at = packet.transport_at + _CHECKSUM_AT.get(packet.protocol, 0)
    if packet.protocol not in _CHECKSUM_AT or at + 2 > packet.end:
        return
    none = packet.protocol == UDP and raw[at : at + 2] == b"\0\0"
    if not none:
        _adjust(raw, at, change)
        if packet.protocol == UDP and raw[at : at + 2] == b"\0\0":
            raw[at : at + 2] = b"\xff\xff"  # 0 would say that there is none (RFC 768)


def _adjust(raw: bytearray, at: int, change: int) -> None:
    """Bring the checksum at `at` up to date: HC' = ~(~HC + ~m + m') (RFC 1624 §3)."""
    total = 0xFFFF - int.from_bytes(raw[at : at + 2], "big") + change
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    raw[at : at + 2] = (0xFFFF - total).to_bytes(2, "big")
