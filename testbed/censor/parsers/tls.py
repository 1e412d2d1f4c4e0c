"""TLS records and the ClientHello, with the strictness measured in 2021 (IMC21 §6.2)."""

from struct import Struct, unpack_from
from typing import Final, NamedTuple

from testbed.censor.parsers import MORE, NOT, Unread

HANDSHAKE: Final = 22
_RECORD_TYPES: Final = frozenset({20, 21, 22, 23, 24})
_MAX_RECORD: Final = 16384 + 2048  # RFC 5246 §6.2.3
_MAX_MESSAGE: Final = 65536  # our choice: no longer handshake message is collected
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_GROUPS: Final = 10
_SIGNATURES: Final = 13
_ALPN: Final = 16
_VERSIONS: Final = 43
_ECH: Final = 0xFE0D
_EXTENSION: Final = Struct("!HH").unpack_from  # type and length


class ClientHello(NamedTuple):  # made for every one that goes by: a tuple costs a third of a dataclass
    """What a box takes from a ClientHello. Lists are in the order sent, GREASE values included.

    The properties read the blocks when asked, since only fingerprints need them; an extension's body that is
    not well-formed reads as far as it goes.
    """

    server_name: str | None
    ech: bool = False  # the encrypted_client_hello extension is there (outer name above)
    legacy_version: int = 0x0303
    cipher_block: bytes = b""  # the cipher suites, two bytes each
    extension_block: bytes = b""  # type, length and body of each extension; the lengths fill it

    @property
    def ciphers(self) -> tuple[int, ...]:
        """The cipher suites."""
        return _numbers(self.cipher_block)

    @property
    def extensions(self) -> tuple[tuple[int, bytes], ...]:
        """Type and body of each extension."""
        return read_extensions(self.extension_block, 0, len(self.extension_block)) or ()

    @property
    def versions(self) -> tuple[int, ...]:
        """supported_versions (RFC 8446 §4.2.1); () without the extension."""
        return _numbers(self._body_of(_VERSIONS)[1:])

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        """signature_algorithms (RFC 8446 §4.2.3); () without the extension."""
        return _numbers(self._body_of(_SIGNATURES)[2:])

    @property
    def groups(self) -> tuple[int, ...]:
        """supported_groups (RFC 8446 §4.2.7); () without the extension."""
        return _numbers(self._body_of(_GROUPS)[2:])

    @property
    def alpn(self) -> bytes:
        """The first protocol of ALPN (RFC 7301 §3.1); b"" without one."""
        body = self._body_of(_ALPN)
        return body[3 : 3 + body[2]] if len(body) > 2 else b""

    def _body_of(self, wanted: int) -> bytes:
        return next((body for kind, body in self.extensions if kind == wanted), b"")


def looks_like_tls(payload: bytes) -> bool:
    """Whether the payload begins with a TLS record header."""
    return (
        len(payload) >= 5
        and payload[0] in _RECORD_TYPES
        and payload[1] == 3
        and 0 < int.from_bytes(payload[3:5], "big") <= _MAX_RECORD
    )


def may_become_tls(payload: bytes) -> bool:
    """Whether the payload is the beginning of a record header."""
    kind, major = payload[:1], payload[1:2]
    return len(payload) < 5 and (not kind or kind[0] in _RECORD_TYPES) and major in (b"", b"\x03")


def client_hello(payload: bytes) -> ClientHello | Unread:
    """The ClientHello, if the payload's first record begins with one, whole.

    A record before it in the same segment, a wrong type or length anywhere, or a cut (TCP or record)
    hides it from the box (IMC21 §6.2, CP21: content type, handshake type, extension type, name type, record,
    handshake, session-id and cipher lengths all count). The record may be longer than the ClientHello, if the
    segment holds all of it (CP21).
    """
    if not payload or payload[0] != HANDSHAKE:
        return NOT if payload else MORE
    if not looks_like_tls(payload):
        return MORE if len(payload) < 5 else NOT
    record = int.from_bytes(payload[3:5], "big")
    if record < 4:
        return NOT
    if len(payload) < 5 + record:
        return MORE
    length = int.from_bytes(payload[6:9], "big")
    if payload[5] != _CLIENT_HELLO or length > record - 4:
        return NOT
    return read_body(payload, 9, 9 + length)


def hello_message(handshake: bytes) -> ClientHello | Unread:
    """The ClientHello at the start of a handshake stream: TLS records joined, or QUIC's CRYPTO frames.

    Bytes after the message are ignored.
    """
    if not handshake:
        return MORE
    if handshake[0] != _CLIENT_HELLO:
        return NOT
    if len(handshake) < 4:
        return MORE
    end = 4 + int.from_bytes(handshake[1:4], "big")
    if end > _MAX_MESSAGE:
        return NOT
    return MORE if len(handshake) < end else read_body(handshake, 4, end)


def read_body(data: bytes, at: int, end: int, *, cookie: bool = False) -> ClientHello | Unread:
    """The ClientHello's body in `data[at:end]`; with DTLS's cookie (RFC 6347 §4.2.1) if so asked.

    NOT for a length that does not fit, or a server_name that is not one host name.
    """
    version_at, at = at, at + 34  # behind the version and 32 random bytes
    at = _behind_vector(data, at, end)  # session id
    if cookie:
        at = _behind_vector(data, at, end)
    if not at or at + 2 > end:
        return NOT
    length = data[at] << 8 | data[at + 1]
    ciphers_at, at = at + 2, at + 2 + length
    if length < 2 or length & 1 or at >= end or not data[at]:  # and no compression method is one too few
        return NOT
    ciphers, at = data[ciphers_at:at], _behind_vector(data, at, end)
    version = data[version_at] << 8 | data[version_at + 1]
    if at == end:
        return ClientHello(None, False, version, ciphers)  # noqa: FBT003 - no extensions
    if not at or at + 2 > end or at + 2 + (data[at] << 8 | data[at + 1]) != end:
        return NOT
    return _with_extensions(data, at + 2, end, version, ciphers)


def _behind_vector(data: bytes, at: int, end: int) -> int:
    """Where the bytes end whose length the byte at `at` gives; 0 if that is not before `end` or at it."""
    if not 0 < at < end:
        return 0
    at += 1 + data[at]
    return at if at <= end else 0


def _with_extensions(data: bytes, at: int, end: int, version: int, ciphers: bytes) -> ClientHello | Unread:
    """The ClientHello with the extensions in `data[at:end]`, of which two are read at once."""
    begin, name, ech = at, None, False
    while at < end:
        if at + 4 > end:
            return NOT
        kind, length = _EXTENSION(data, at)
        at += 4 + length
        if at > end:
            return NOT
        if kind == _SERVER_NAME:
            name = _server_name(data[at - length : at])
            if name is None:
                return NOT
        elif kind == _ECH:
            ech = True
    return ClientHello(name, ech, version, ciphers, data[begin:end])


def read_extensions(data: bytes, at: int, end: int) -> tuple[tuple[int, bytes], ...] | None:
    """Types and bodies, None if the lengths do not fill `data[at:end]`."""
    found = []
    while at < end:
        if at + 4 > end:
            return None
        kind, length = _EXTENSION(data, at)
        at += 4 + length
        if at > end:
            return None
        found.append((kind, data[at - length : at]))
    return tuple(found)


def _server_name(extension: bytes) -> str | None:
    """The first entry of the list (RFC 6066 §3), None unless it is a host name of the right length."""
    if len(extension) < 5 or extension[2] != 0:
        return None
    if int.from_bytes(extension[:2], "big") != len(extension) - 2:
        return None
    length = int.from_bytes(extension[3:5], "big")
    name = extension[5 : 5 + length]
    if not name or len(name) != length or not name.isascii():
        return None
    return name.decode("ascii")


def _numbers(body: bytes) -> tuple[int, ...]:
    """Two-byte numbers; an odd byte at the end is left out."""
    return unpack_from(f"!{len(body) // 2}H", body)
