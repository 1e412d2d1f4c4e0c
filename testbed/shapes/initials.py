"""QUIC v1 Initials as clients send them, encrypted (RFC 9001 section 5)."""

import struct
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

_SALT: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
DCID: Final = bytes.fromhex("8394c8f03e515708")
LEAST: Final = 1200  # bytes of a client's datagram with an Initial (RFC 9000 §14.1)


def crypto(message: bytes, at: int) -> bytes:
    """A CRYPTO frame with a piece of a message that begins at `at`."""
    return b"\6" + struct.pack("!HH", 0x4000 | at, 0x4000 | len(message)) + message


def scattered(message: bytes, at: int = 0) -> bytes:
    """The message in three CRYPTO frames out of order, with PINGs and padding between them."""
    third = len(message) // 3
    pieces = [
        (2 * third, message[2 * third :]),
        (0, message[:third]),
        (third, message[third : 2 * third]),
    ]
    return b"\1".join(crypto(piece, at + start) + bytes(17) for start, piece in pieces)


def initial_packet(
    frames: bytes, dcid: bytes = DCID, number: int = 0, size: int = LEAST, source: bytes = b""
) -> bytes:
    """One encrypted Initial of so many bytes, at least, with these frames."""
    key, iv, hp = _client_keys(dcid)
    head = b"\xc3" + b"\0\0\0\1" + bytes([len(dcid)]) + dcid + bytes([len(source)]) + source + b"\0"
    plain = frames.ljust(size - len(head) - 2 - 4 - 16, b"\0")
    head += struct.pack("!H", 0x4000 | (4 + len(plain) + 16)) + number.to_bytes(4, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, plain, head)
    encryptor = Cipher(algorithms.AES(hp), modes.ECB()).encryptor()  # RFC 9001 §5.4.3
    mask = encryptor.update(sealed[:16])
    masked = bytes(a ^ b for a, b in zip(head[-4:], mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:-4] + masked + sealed


def padded_outside(frames: bytes, number: int = 0, size: int = LEAST) -> bytes:
    """An Initial as short as its frames, and zeros behind it up to `size`."""
    return initial_packet(frames, number=number, size=0).ljust(size, b"\0")


@cache
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
