"""Encrypted ClientHello (RFC 9849): a server's key and configuration, and the sealing of a hello. Pure.

The one suite is the one that every client has: X25519, HKDF-SHA256, AES-128-GCM (HPKE, RFC 9180).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ECH: Final = 0xFE0D  # the extension, and the version of a configuration
_KEM, _KDF, _AEAD = b"\x00\x20", b"\x00\x01", b"\x00\x01"  # RFC 9180 section 7
_SUITE_OF_KEM: Final = b"KEM" + _KEM
_SUITE: Final = b"HPKE" + _KEM + _KDF + _AEAD
SUITE: Final = _KDF + _AEAD  # as an extension names it
_LONGEST_NAME: Final = 64  # bytes to which a client pads the hidden name; our choice


@dataclass(frozen=True, slots=True)
class EchKey:
    """The key of a server, and the name that everybody may see."""

    private: X25519PrivateKey
    public_name: str
    number: int = 1  # config_id

    @classmethod
    def of(cls, public_name: str) -> "EchKey":
        """The key of a laboratory's server: made of its public name, so that DNS and server agree on it."""
        seed = hashlib.sha256(b"ech of " + public_name.encode()).digest()
        return cls(X25519PrivateKey.from_private_bytes(seed), public_name)

    @property
    def config(self) -> bytes:
        """Its ECHConfig (section 4)."""
        name = self.public_name.encode()
        contents = (
            bytes([self.number]) + _KEM + _vector(self.private.public_key().public_bytes_raw(), 2)
            + _vector(SUITE, 2) + bytes([_LONGEST_NAME]) + _vector(name, 1) + b"\0\0"
        )  # fmt: skip
        return ECH.to_bytes(2, "big") + _vector(contents, 2)

    @property
    def config_list(self) -> bytes:
        """As DNS publishes it."""
        return _vector(self.config, 2)


def sealed(key: EchKey, plain: bytes, aad: bytes, sender: X25519PrivateKey) -> bytes:
    """An inner hello, encrypted for the server."""
    shared = _shared(sender, key.private.public_key(), sender.public_key(), key.private.public_key())
    secret, nonce = _keys(shared, key.config)
    return AESGCM(secret).encrypt(nonce, plain, aad)


def opened(key: EchKey, enc: bytes, payload: bytes, aad: bytes) -> bytes | None:
    """The inner hello as it was encoded; None if it is not for this key."""
    try:
        sender = X25519PublicKey.from_public_bytes(enc)
        shared = _shared(key.private, sender, sender, key.private.public_key())
        secret, nonce = _keys(shared, key.config)
        return AESGCM(secret).decrypt(nonce, payload, aad)
    except (ValueError, InvalidTag):
        return None


def _shared(
    mine: X25519PrivateKey, other: X25519PublicKey, sender: X25519PublicKey, receiver: X25519PublicKey
) -> bytes:
    """RFC 9180 section 4.1."""
    context = sender.public_bytes_raw() + receiver.public_bytes_raw()
    first = _extract(b"", _SUITE_OF_KEM, b"eae_prk", mine.exchange(other))
    return _expand(first, _SUITE_OF_KEM, b"shared_secret", context, 32)


def _keys(shared: bytes, config: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the first message (RFC 9180 section 5.1, without a shared key of both)."""
    identity = _extract(b"", _SUITE, b"psk_id_hash", b"")
    info = _extract(b"", _SUITE, b"info_hash", b"tls ech\0" + config)
    secret = _extract(shared, _SUITE, b"secret", b"")
    context = b"\0" + identity + info
    return _expand(secret, _SUITE, b"key", context, 16), _expand(secret, _SUITE, b"base_nonce", context, 12)


def _extract(salt: bytes, suite: bytes, label: bytes, material: bytes) -> bytes:
    mac = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + material)
    return mac.finalize()


def _expand(secret: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), size, labelled).derive(secret)


def _vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data
