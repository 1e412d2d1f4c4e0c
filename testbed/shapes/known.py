"""Clients by the shape of their first packets: what a censor reads depends on it.

Over TCP a shape is a ClientHello in one record, which the client's kernel cuts into segments; over UDP it is
the datagrams with QUIC Initials. Where each form is from stands beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from testbed.errors import InputError, nearest
from testbed.shapes.hellobytes import (
    FFDHE2048,
    FFDHE3072,
    MLKEM,
    MLKEM_SHARE,
    P256,
    P384,
    P521,
    X25519,
    chrome_drawn,
    extension,
    hello_of,
    numbers,
    outer_ech,
    padded,
    protocols,
    record,
    server_name,
    shares,
    vector,
)
from testbed.shapes.initials import LEAST, crypto, initial_packet, padded_outside, scattered

ShapeOfHello = Callable[[str, int], bytes]  # of a name and the connection's number: a record
ShapeOfFlight = Callable[[str, int], tuple[bytes, ...]]  # datagrams


@dataclass(frozen=True, slots=True)
class ClientShape:
    """One client."""

    key: str
    title: str
    source: str  # where its form is from: a key of docs/sources.md, or what was measured
    hello: ShapeOfHello | None = None  # None: it does not speak TLS over TCP
    flight: ShapeOfFlight | None = None  # None: it does not speak QUIC
    varies: bool = False  # whether its connections differ, so that one says nothing of the next


def _versions(*given: int) -> bytes:
    return extension(0x2B, vector(b"".join(one.to_bytes(2, "big") for one in given), 1))


_OPENSSL_CIPHERS: Final = (
    *(0x1302, 0x1303, 0x1301, 0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8),
    *(0xC024, 0xC028, 0xC023, 0xC027, 0x009F, 0x009E, 0x006B, 0x0067, 0x00FF),
)
_OPENSSL_SIGNATURES: Final = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B, 0x0804, 0x0805),
    *(0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0302, 0x0402, 0x0502, 0x0602),
)


def _openssl(name: str, _: int) -> bytes:
    extensions = [
        server_name(name),
        extension(0x0B, b"\3\0\1\2"),
        extension(0x0A, numbers((P256,))),
        extension(0x23),
        protocols("http/1.1"),
        extension(0x16),
        extension(0x17),
        extension(0x0D, numbers(_OPENSSL_SIGNATURES)),
        _versions(0x0304, 0x0303),
        extension(0x2D, b"\1\1"),
        shares((P256, 65)),
    ]
    return record(padded(extensions, _OPENSSL_CIPHERS, 512))


_GO_CIPHERS: Final = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC009, 0xC013, 0xC00A, 0xC014),
    *(0x1301, 0x1302, 0x1303),
)
_GO_SIGNATURES: Final = (0x0804, 0x0403, 0x0807, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0503, 0x0603)


def _go(name: str, _: int) -> bytes:
    extensions = [
        server_name(name),
        extension(0x0B, b"\1\0"),
        extension(0xFF01, b"\0"),
        extension(0x17),
        extension(0x12),
        extension(0x05, b"\1\0\0\0\0"),
        extension(0x0A, numbers((MLKEM, 0x11EB, 0x11ED, X25519, P256, P384, P521))),
        extension(0x0D, numbers(_GO_SIGNATURES)),
        extension(0x32, numbers((*_GO_SIGNATURES, 0x0201, 0x0203))),
        protocols("h2", "http/1.1"),
        _versions(0x0304, 0x0303),
        shares((MLKEM, MLKEM_SHARE), (X25519, 32)),
    ]
    return record(hello_of(extensions, _GO_CIPHERS))


_FIREFOX_CIPHERS: Final = (
    *(0x1301, 0x1303, 0x1302, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC02C, 0xC030),
    *(0xC00A, 0xC009, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
_FIREFOX_SIGNATURES: Final = (
    *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201),
)


def _firefox(name: str, _: int) -> bytes:
    groups = (MLKEM, X25519, P256, P384, P521, FFDHE2048, FFDHE3072)
    extensions = [
        server_name(name),
        extension(0x17),
        extension(0xFF01, b"\0"),
        extension(0x0A, numbers(groups)),
        extension(0x0B, b"\1\0"),
        extension(0x23),
        protocols("h2", "http/1.1"),
        extension(0x05, b"\1\0\0\0\0"),
        extension(0x22, numbers((0x0403, 0x0503, 0x0603, 0x0203))),
        extension(0x12),
        shares((MLKEM, MLKEM_SHARE), (X25519, 32), (P256, 65)),
        _versions(0x0304, 0x0303),
        extension(0x0D, numbers(_FIREFOX_SIGNATURES)),
        extension(0x2D, b"\1\1"),
        extension(0x1C, b"\x40\x01"),
        extension(0x1B, b"\6\0\1\0\2\0\3"),
        outer_ech(239),
    ]
    return record(hello_of(extensions, _FIREFOX_CIPHERS))


def _chrome(name: str, draw: int) -> bytes:
    return record(chrome_drawn(name, draw))


def _quic_message(name: str, *, before: bytes = b"", pad: int = 0) -> bytes:
    """A ClientHello for QUIC without a post-quantum key share; `pad` bytes of extensions we do not know."""
    extensions = [
        before,
        _versions(0x0304),
        extension(0x0D, numbers(_CHROME_LIKE)),
        extension(0x0A, numbers((P256, P384, X25519))),
        server_name(name),
        protocols("h3"),
        extension(0x39, bytes(67)),
        *([extension(21, bytes(pad))] if pad else []),
    ]
    return hello_of(extensions, (0x1302, 0x1301, 0x1303), session=0)


_CHROME_LIKE: Final = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0201, 0x0807, 0x0808)


def _aioquic(name: str, _: int) -> tuple[bytes, ...]:
    share = shares((P256, 65), (P384, 97), (X25519, 32), (0x001E, 56))
    return (padded_outside(crypto(_quic_message(name, before=share), 0)),)


def _quiche(name: str, _: int) -> tuple[bytes, ...]:
    return (padded_outside(crypto(_quic_message(name, before=shares((X25519, 32))), 0)),)


def _chrome_quic(name: str, draw: int) -> tuple[bytes, ...]:
    message, size = chrome_drawn(name, draw, quic=True), 1250
    first = size - 46  # what a packet of 1,250 bytes has room for in one CRYPTO frame
    return (
        initial_packet(crypto(message[:first], 0), size=size),
        initial_packet(scattered(message[first:], first), number=1, size=size),
    )


def _chrome_quic_2022(name: str, _: int) -> tuple[bytes, ...]:
    message = _quic_message(name, before=shares((X25519, 32)))
    return (initial_packet(scattered(message), size=1250),)


def _firefox_quic(name: str, _: int) -> tuple[bytes, ...]:
    return (
        padded_outside(crypto(_quic_message(name, before=shares((X25519, 32), (P256, 65))), 0), size=1357),
    )


def _go_quic(name: str, _: int) -> tuple[bytes, ...]:
    message = _quic_message(name, before=shares((MLKEM, MLKEM_SHARE), (X25519, 32)))
    first = LEAST - 46 + 80  # quic-go's first datagrams have 1,280 bytes
    return (
        initial_packet(crypto(message[:first], 0), size=1280),
        initial_packet(crypto(message[first:], first), number=1, size=1280),
    )


_ALL: Final = (
    ClientShape(
        "probe",
        "our probe: OpenSSL 3.0 with one curve, aioquic",
        "compared with the real ones by a test; TLS 517 bytes, QUIC padded outside the packet",
        _openssl,
        _aioquic,
    ),
    ClientShape("openssl", "openssl s_client and curl with OpenSSL 3.0: 517 bytes", "TRACES", _openssl),
    ClientShape(
        "chrome",
        "Chrome 2025-26: a post-quantum key, two segments, extensions in random order",
        "TLS: TRACES; QUIC: gh:gaukas/clienthellod#17, two datagrams, the second with CRYPTO frames apart",
        _chrome,
        _chrome_quic,
        varies=True,
    ),
    ClientShape(
        "chrome-2022",
        "Chrome of 2022: 517 bytes; one QUIC datagram with CRYPTO frames apart",
        "TLS: TRACES (chrome120); QUIC: NTC1823",
        _openssl,
        _chrome_quic_2022,
    ),
    ClientShape(
        "firefox",
        "Firefox 2025: a post-quantum key, the name at the front",
        "TLS: TRACES (firefox147: 1,809 to 1,905 bytes); QUIC: NTC1823 #32, padded outside the packet",
        _firefox,
        _firefox_quic,
    ),
    ClientShape(
        "go",
        "Go 1.26: a post-quantum key, 1,521 bytes for twitter.com, the name at the front",
        "TLS: measured, crypto/tls of Go 1.26.8; QUIC: two datagrams of 1,280 bytes, our choice",
        _go,
        _go_quic,
    ),
    ClientShape("aioquic", "aioquic 1.x: one datagram, padded outside the packet", "a test", flight=_aioquic),
    ClientShape(
        "quiche",
        "Cloudflare's quiche: one datagram, padded outside the packet",
        "its send(), which fills the datagram with zeros; NTC1823 #74: boxes of 2023 do not read it",
        flight=_quiche,
    ),
)
SHAPES: Final[Mapping[str, ClientShape]] = {shape.key: shape for shape in _ALL}


def shape_of(key: str, place: str = "--client") -> ClientShape:
    """The shape of that name; InputError that names the nearest."""
    if key not in SHAPES:
        raise InputError.at(place, f"there is no client shape {key!r}", nearest(key, SHAPES))
    return SHAPES[key]
