"""QUIC packets with a long header, and the Initial's protection, which anyone on the path can undo.

RFC 9000 §17.2 and RFC 9001 §5: the keys follow from the connection id that the client sends in the clear.
"""

from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple

from testbed.censor.parsers import MORE, NOT, Unread

V1: Final = 0x00000001
V2: Final = 0x6B3343CF
DRAFT_29: Final = 0xFF00001D

_SHORTEST_SAMPLE: Final = 20  # bytes from the packet number to the end of the header protection's sample


class _Version(NamedTuple):
    """What differs between versions (RFC 9001 §5.2; draft-ietf-quic-tls-29; RFC 9369 §3)."""

    salt: bytes
    label: bytes  # of key, iv and hp
    initial: int  # the long header's packet type


_VERSIONS: Final = {
    V1: _Version(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), b"quic ", 0),
    DRAFT_29: _Version(bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), b"quic ", 0),
    V2: _Version(bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), b"quicv2 ", 1),
}


class LongHeader(NamedTuple):
    """A packet with a long header (RFC 9000 §17.2), as far as it can be read without keys."""

    version: int
    kind: int  # packet type, 0 to 3
    destination: bytes  # connection id
    number_at: int  # where the packet number is; 0 for a packet without a length (Retry, other versions)
    end: int

    @property
    def known(self) -> bool:
        """Whether the version's keys are known."""
        return self.version in _VERSIONS

    @property
    def initial(self) -> bool:
        """Whether this is an Initial of a version whose keys are known."""
        known = _VERSIONS.get(self.version)
        return known is not None and self.kind == known.initial


def long_header(datagram: bytes, at: int = 0) -> LongHeader | Unread:
    """The long header at an offset."""
    if at >= len(datagram):
        return MORE
    first = datagram[at]
    if first & 0xC0 != 0xC0:
        return NOT
    if at + 7 > len(datagram):
        return MORE
    version = int.from_bytes(datagram[at + 1 : at + 5], "big")
    kind = (first >> 4) & 3
    length = datagram[at + 5]
    destination = datagram[at + 6 : at + 6 + length]
    at += 6 + length
    if length > 20:
        return NOT
    if at >= len(datagram) or at + 1 + datagram[at] > len(datagram):
        return MORE
    at += 1 + datagram[at]
    known = _VERSIONS.get(version)
    if known is None or (kind - known.initial) % 4 == 3:  # unknown, or Retry
        return LongHeader(version, kind, destination, 0, len(datagram))
    if kind == known.initial:
        token, at = varint(datagram, at)
        at += token
    size, at = varint(datagram, at)
    if size < 0 or at > len(datagram):
        return MORE
    return LongHeader(version, kind, destination, at, at + size)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 §16) and where it ends; (-1, past the end) if it is cut."""
    if at >= len(data):
        return -1, len(data) + 1
    width = 1 << (data[at] >> 6)
    if at + width > len(data):
        return -1, len(data) + 1
    return int.from_bytes(data[at : at + width], "big") & ((1 << (8 * width - 2)) - 1), at + width


def decrypted(datagram: bytes, at: int, header: LongHeader, version: int, connection: bytes) -> bytes | None:
    """The frames of the Initial at an offset, None if they do not decrypt."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    number_at = header.number_at
    if number_at + _SHORTEST_SAMPLE > header.end:
        return None
    key, iv, protection = initial_keys(version, connection)
    sample = datagram[number_at + 4 : number_at + 20]
    mask = Cipher(AES(protection), ECB()).encryptor().update(sample)
    first = datagram[at] ^ (mask[0] & 0x0F)
    width = 1 + (first & 3)
    number = bytes(a ^ b for a, b in zip(datagram[number_at : number_at + width], mask[1:], strict=False))
    nonce = iv[: 12 - width] + bytes(a ^ b for a, b in zip(iv[12 - width :], number, strict=True))
    plain_header = bytes([first]) + datagram[at + 1 : number_at] + number
    try:
        return AESGCM(key).decrypt(nonce, datagram[number_at + width : header.end], plain_header)
    except InvalidTag:
        return None


@lru_cache(maxsize=64)
def initial_keys(version: int, connection: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, IV and header protection key of a client's Initials, from its first destination id."""
    salt, label, _ = _VERSIONS[version]
    secret = _expand(digest(salt, connection, sha256), b"client in", 32)
    return (
        _expand(secret, label + b"key", 16),
        _expand(secret, label + b"iv", 12),
        _expand(secret, label + b"hp", 16),
    )


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 §7.1) for one block of SHA-256 and no context."""
    text = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(text)]) + text + b"\0"
    return digest(secret, info + b"\x01", sha256)[:length]
