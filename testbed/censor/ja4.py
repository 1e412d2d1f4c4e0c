"""JA4: a ClientHello's fingerprint, as FoxIO's public description of it says (technical_details/JA4.md).

    t13d1516h2_8daaf6152771_d8a2da3f94cd
    |  |   | |  |            extension types, sorted, and signature algorithms, as sent
    |  |   | |  cipher suites, sorted
    |  |   | first protocol of ALPN: first and last character
    |  |   how many cipher suites and extensions
    |  named (d) or not (i)
    transport and version

Both hashes are the first 12 digits of SHA-256 over comma-separated numbers of 4 hexadecimal digits; GREASE
values (RFC 8701) count nowhere.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

from testbed.censor.parsers.tls import ClientHello

Letter = Literal["t", "q", "d"]  # what a fingerprint begins with: TLS over TCP, QUIC, DTLS

PATTERN: Final = r"[tqd](1[0-3]|s[23]|d[1-3]|00)[di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}"
_FORM: Final = re.compile(PATTERN)
_VERSIONS: Final = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}
_SERVER_NAME: Final = 0
_ALPN: Final = 16
_NOTHING: Final = "0" * 12


def is_ja4(text: str) -> bool:
    """Whether a text has the form of a fingerprint."""
    return _FORM.fullmatch(text) is not None


def ja4(hello: ClientHello, letter: Letter) -> str:
    """The fingerprint of a ClientHello over TCP ("t"), QUIC ("q") or DTLS ("d")."""
    ciphers = _plain(hello.ciphers)
    kinds = _plain(kind for kind, _ in hello.extensions)
    named = "d" if _SERVER_NAME in kinds else "i"
    counts = f"{min(len(ciphers), 99):02}{min(len(kinds), 99):02}"
    first = f"{letter}{_version(hello)}{named}{counts}{_ends(hello.alpn)}"
    others = _hex(sorted(kind for kind in kinds if kind not in (_SERVER_NAME, _ALPN)))
    signatures = _hex(_plain(hello.signature_algorithms))
    third = _hash(f"{others}_{signatures}" if others and signatures else others)
    return f"{first}_{_hash(_hex(sorted(ciphers)))}_{third}"


def _plain(numbers: Iterable[int]) -> list[int]:
    """Without GREASE: 0x0a0a, 0x1a1a, … 0xfafa."""
    return [number for number in numbers if not (number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF)]


def _version(hello: ClientHello) -> str:
    """The newest version offered. DTLS counts downwards, and the description speaks of the highest value:
    for a DTLS client that offers 1.3 and 1.2 we take "highest" to mean the newest (our choice).
    """
    offered = _plain(hello.versions) or [hello.legacy_version]
    datagram = [version for version in offered if version >> 8 == 0xFE]
    return _VERSIONS.get(min(datagram) if datagram else max(offered), "00")


def _ends(protocol: bytes) -> str:
    if not protocol:
        return "00"
    ends = bytes((protocol[0], protocol[-1]))
    if ends.isalnum():
        return ends.decode("ascii")
    return protocol.hex()[0] + protocol.hex()[-1]


def _hex(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else _NOTHING
