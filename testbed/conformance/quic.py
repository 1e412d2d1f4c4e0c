"""QUIC v1 Initials as clients send them, encrypted (RFC 9001 §5), by this package's own code."""

import struct
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from testbed.conformance.payloads import X, extension, handshake

_SALT: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_DCID: Final = bytes.fromhex("8394c8f03e515708")
_SIZE: Final = 1200  # RFC 9000 §14.1


def initial(
    name: str | None = X,
    *,
    layout: str = "ngtcp2",
    ech: bool = False,
    dcid: bytes = _DCID,
    padding: int = 0,
) -> bytes:
    """A client's Initial with a ClientHello for `name`.

    `layout`: "ngtcp2" has one CRYPTO frame and padding after it; "chromium" several CRYPTO frames out of
    order with PINGs and padding between them. The last `padding` of its bytes are zeros after
    the packet.
    """
    alpn = extension(16, b"\0\x03\x02h3") + extension(43, b"\2\3\4") + extension(57, b"\4\4\x80\0\xff\xff")
    more = extension(0xFE0D, b"\0\0\1\0\1\x2a\0\x20" + bytes(32) + b"\0\x80" + bytes(128)) if ech else b""
    message = handshake(name, after=alpn + more)
    frames = _crypto(message, 0) if layout == "ngtcp2" else _scattered(message)
    return protect(frames, dcid, size=_SIZE - padding) + bytes(padding)


def initials(name: str | None = X, *, dcid: bytes = _DCID) -> tuple[bytes, bytes]:
    """The same over two datagrams, as clients with a post-quantum key share send it."""
    message = handshake(name, after=extension(16, b"\0\x03\x02h3") + extension(21, bytes(1200)))
    half = len(message) // 2
    return protect(_crypto(message[:half], 0), dcid), protect(_crypto(message[half:], half), dcid, 1)


def _crypto(message: bytes, at: int) -> bytes:
    return b"\6" + struct.pack("!HH", 0x4000 | at, 0x4000 | len(message)) + message


def _scattered(message: bytes) -> bytes:
    third = len(message) // 3
    pieces = [
        (2 * third, message[2 * third :]),
        (0, message[:third]),
        (third, message[third : 2 * third]),
    ]
    return b"\1".join(_crypto(piece, at) + bytes(17) for at, piece in pieces)


def protect(frames: bytes, dcid: bytes, number: int = 0, size: int = _SIZE) -> bytes:
    """One encrypted Initial of so many bytes with these frames."""
    key, iv, hp = _client_keys(dcid)
    head = b"\xc3" + b"\0\0\0\1" + bytes([len(dcid)]) + dcid + b"\0" + b"\0"
    plain = frames.ljust(size - len(head) - 2 - 4 - 16, b"\0")
    head += struct.pack("!H", 0x4000 | (4 + len(plain) + 16)) + number.to_bytes(4, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, plain, head)
    encryptor = Cipher(algorithms.AES(hp), modes.ECB()).encryptor()  # RFC 9001 §5.4.3
    mask = encryptor.update(sealed[:16])
    masked = bytes(a ^ b for a, b in zip(head[-4:], mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:-4] + masked + sealed


def _client_keys(dcid: bytes) -> tuple[bytes, bytes, bytes]:
    initial_secret = _hmac(_SALT, dcid)
    secret = _expand(initial_secret, b"client in", 32)
    return _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)


def _hmac(key: bytes, data: bytes) -> bytes:
    made = HMAC(key, hashes.SHA256())
    made.update(data)
    return made.finalize()


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return _hmac(secret, info + b"\1")[:length]
