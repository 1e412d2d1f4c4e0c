"""TLS 1.3 (RFC 8446) with one suite, AES-128-GCM and SHA-256: its secrets, records and messages. Pure.

For Encrypted ClientHello, which no maintained TLS library for Python has: of the rest there is no more than
that needs. Peers that ask for another suite or group are refused.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE, X25519, P256, ECDSA_P256 = 0x1301, 0x001D, 0x0017, 0x0403
CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, CERTIFICATE, CERTIFICATE_VERIFY, FINISHED = (
    1,
    2,
    8,
    11,
    15,
    20,
)
CHANGE, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
LONGEST: Final = 16384  # bytes of a record (section 5.1)
SERVER_NAME, KEY_SHARE, VERSIONS = 0x0000, 0x0033, 0x002B
_NONE: Final = bytes(32)
_EMPTY: Final = hashlib.sha256().digest()


class TlsError(ValueError):
    """The peer said something that this side cannot go on with."""


def extracted(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract."""
    return hmac.digest(salt, material, "sha256")


def expanded(secret: bytes, label: str, context: bytes, size: int = 32) -> bytes:
    """HKDF-Expand-Label (section 7.1)."""
    info = size.to_bytes(2, "big") + vector(b"tls13 " + label.encode(), 1) + vector(context, 1)
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def vector(data: bytes, width: int) -> bytes:
    """Data with its length before it."""
    return len(data).to_bytes(width, "big") + data


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + vector(body, 3)


def extension(kind: int, data: bytes) -> bytes:
    """One extension."""
    return kind.to_bytes(2, "big") + vector(data, 2)


@dataclass(frozen=True, slots=True)
class HelloFields:
    """A ClientHello or ServerHello, taken apart. `extensions` in their order, as they were written."""

    random: bytes
    session: bytes
    suites: bytes  # of a client all, of a server the one
    extensions: tuple[tuple[int, bytes], ...]

    @classmethod
    def read(cls, body: bytes, *, server: bool = False) -> "HelloFields":
        """From a message without its header. What follows the extensions is left out. TlsError if broken."""
        reader = Reader(body)
        reader.take(2)
        random, session = reader.take(32), reader.vector(1)
        suites = reader.take(2) if server else reader.vector(2)
        reader.take(1) if server else reader.vector(1)
        rest = Reader(reader.vector(2))
        return cls(random, session, suites, tuple((rest.number(2), rest.vector(2)) for _ in rest))

    def body(self) -> bytes:
        """A client's, as a message without its header."""
        written = b"".join(extension(kind, data) for kind, data in self.extensions)
        head = b"\3\3" + self.random + vector(self.session, 1) + vector(self.suites, 2)
        return head + b"\1\0" + vector(written, 2)

    def get(self, kind: int) -> bytes | None:
        """The data of an extension."""
        return next((data for found, data in self.extensions if found == kind), None)

    @property
    def name(self) -> str:
        """The server name; "" without one."""
        data = self.get(SERVER_NAME) or b""
        return data[5:].decode("ascii", "replace")

    @property
    def shares(self) -> dict[int, bytes]:
        """A client's keys, by their groups."""
        shares = Reader(Reader(self.get(KEY_SHARE) or b"\0\0").vector(2))
        return {shares.number(2): shares.vector(2) for _ in shares}


class Reader:
    """Bytes, from their begin. TlsError where there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """The next so many."""
        if len(self._data) < self.at + size:
            raise TlsError("a message ends too early")
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, width: int) -> int:
        """The next number."""
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """The next bytes with their length before them."""
        return self.take(self.number(width))

    def __iter__(self) -> Iterator[None]:
        """Once for each element, until nothing is left."""
        while self.at < len(self._data):
            yield None


@dataclass(slots=True)
class TrafficKey:
    """One direction's protection of records (section 5.2)."""

    secret: bytes
    sent: int = 0
    key: AESGCM = field(init=False)
    nonce: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Derive key and nonce (section 7.3)."""
        self.key = AESGCM(expanded(self.secret, "key", b"", 16))
        self.nonce = expanded(self.secret, "iv", b"", 12)

    def sealed(self, kind: int, data: bytes) -> bytes:
        """Data as records."""
        return b"".join(
            self._sealed(kind, data[at : at + LONGEST]) for at in range(0, max(len(data), 1), LONGEST)
        )

    def _sealed(self, kind: int, data: bytes) -> bytes:
        header = b"\x17\3\3" + (len(data) + 17).to_bytes(2, "big")
        return header + self.key.encrypt(self._next(), data + bytes([kind]), header)

    def opened(self, header: bytes, data: bytes) -> tuple[int, bytes]:
        """Kind and content of a record. TlsError if it is not of this key."""
        try:
            plain = self.key.decrypt(self._next(), data, header).rstrip(b"\0")
        except InvalidTag as error:
            raise TlsError("a record cannot be decrypted") from error
        return plain[-1], plain[:-1]

    def _next(self) -> bytes:
        number = int.from_bytes(self.nonce, "big") ^ self.sent
        self.sent += 1
        return number.to_bytes(12, "big")

    def finished(self, transcript: bytes) -> bytes:
        """What the Finished message of this side says (section 4.4.4)."""
        key = expanded(self.secret, "finished", b"")
        return hmac.digest(key, hashlib.sha256(transcript).digest(), "sha256")


@dataclass(frozen=True, slots=True)
class HandshakeSecrets:
    """The secrets of a connection once both hellos are known (section 7.1)."""

    master: bytes
    client: bytes
    server: bytes

    @classmethod
    def of(cls, shared: bytes, transcript: bytes) -> "HandshakeSecrets":
        """From what both sides computed, and the two hellos."""
        early = extracted(_NONE, _NONE)
        secret = extracted(expanded(early, "derived", _EMPTY), shared)
        context = hashlib.sha256(transcript).digest()
        master = extracted(expanded(secret, "derived", _EMPTY), _NONE)
        return cls(
            master, expanded(secret, "c hs traffic", context), expanded(secret, "s hs traffic", context)
        )

    def traffic(self, transcript: bytes) -> tuple[TrafficKey, TrafficKey]:
        """Client's and server's keys for data, from all messages up to the server's Finished."""
        context = hashlib.sha256(transcript).digest()
        client = expanded(self.master, "c ap traffic", context)
        return TrafficKey(client), TrafficKey(expanded(self.master, "s ap traffic", context))


def acceptance(inner_random: bytes, transcript: bytes) -> bytes:
    """What a server's random ends with if it took the inner hello (RFC 9849 section 7.2).

    `transcript`: inner hello and ServerHello, in which these eight bytes are zero.
    """
    secret = extracted(_NONE, inner_random)
    return expanded(secret, "ech accept confirmation", hashlib.sha256(transcript).digest(), 8)
