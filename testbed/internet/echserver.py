"""A server of Encrypted ClientHello in shared mode (RFC 9849): it has the key, and ends TLS."""

import hashlib
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from testbed.internet import tls13
from testbed.internet.echkeys import ECH, SUITE, EchKey, opened
from testbed.internet.tls13 import HandshakeSecrets, HelloFields, Reader, TlsError, TrafficKey, vector
from testbed.internet.tlsstream import TlsStream

_OUTER_EXTENSIONS, _ALPN = 0xFD00, 0x0010
_HTTP: Final = b"http/1.1"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its chain, and its key."""

    chain: tuple[bytes, ...]  # DER
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, chain: str, key: str) -> "Identity":
        """From files in PEM."""
        private = load_pem_private_key(Path(key).read_bytes(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        certificates = x509.load_pem_x509_certificates(Path(chain).read_bytes())
        return cls(tuple(one.public_bytes(Encoding.DER) for one in certificates), private)


@dataclass(frozen=True, slots=True)
class Welcome:
    """The hello that a server goes on with."""

    hello: HelloFields
    inner: bool  # whether it was the encrypted one
    offered: bool = False  # whether there was one that this server cannot read


def welcomed(body: bytes, key: EchKey) -> Welcome:
    """The inner hello, if there is one for this key; the outer one otherwise. Pure."""
    outer = HelloFields.read(body)
    data = outer.get(ECH)
    if data is None or not data.startswith(b"\0"):
        return Welcome(outer, inner=False)
    reader = Reader(data[1:])
    suite, number, enc, payload = reader.take(4), reader.number(1), reader.vector(2), reader.vector(2)
    aad = body.replace(payload, bytes(len(payload)), 1)
    plain = opened(key, enc, payload, aad) if (suite, number) == (SUITE, key.number) else None
    if plain is None:
        return Welcome(outer, inner=False, offered=True)
    return Welcome(_whole(HelloFields.read(plain), outer), inner=True)


def _whole(encoded: HelloFields, outer: HelloFields) -> HelloFields:
    """The inner hello with what it has in common with the outer one (section 5.1)."""
    found: list[tuple[int, bytes]] = []
    for kind, data in encoded.extensions:
        if kind != _OUTER_EXTENSIONS:
            found.append((kind, data))
            continue
        names = Reader(Reader(data).vector(1))
        wanted = {names.number(2) for _ in names}
        found += [one for one in outer.extensions if one[0] in wanted]
    return replace(encoded, session=outer.session, extensions=tuple(found))


async def accepted(
    reader: StreamReader, writer: StreamWriter, key: EchKey, identity: Identity
) -> tuple[TlsStream, Welcome]:
    """Shake hands as the server. TlsError for a client that cannot go on."""
    stream = TlsStream(reader, writer)
    kind, body, _ = await stream.message()
    if kind != tls13.CLIENT_HELLO:
        raise TlsError("the client does not begin with a ClientHello")
    welcome = welcomed(body, key)
    hello = welcome.hello
    agreed = _agreed(hello.shares)
    if agreed is None or tls13.SUITE.to_bytes(2, "big") not in _pairs(hello.suites):
        stream.send(tls13.ALERT, b"\2\x28")  # handshake_failure
        raise TlsError("the client offers no TLS 1.3 with AES-128-GCM and a key of X25519 or P-256")
    transcript = tls13.message(tls13.CLIENT_HELLO, hello.body() if welcome.inner else body)
    answer = _server_hello(hello, agreed, transcript if welcome.inner else b"")
    transcript += answer
    secrets = HandshakeSecrets.of(agreed.shared, transcript)
    stream.send(tls13.HANDSHAKE, answer)
    stream.change()
    stream.mine, stream.theirs = TrafficKey(secrets.server), TrafficKey(secrets.client)
    transcript += (said := _proved(welcome, key, identity, stream.mine, transcript))
    stream.send(tls13.HANDSHAKE, said)
    await stream.sent()
    theirs, mine = secrets.traffic(transcript)
    kind, finished, _ = await stream.message()
    if kind != tls13.FINISHED or finished != stream.theirs.finished(transcript):
        raise TlsError("the client's Finished is wrong")
    stream.theirs, stream.mine = theirs, mine
    return stream, welcome


def _pairs(suites: bytes) -> set[bytes]:
    return {suites[at : at + 2] for at in range(0, len(suites), 2)}


@dataclass(frozen=True, slots=True)
class _Agreed:
    """The keys of a connection."""

    group: int
    mine: bytes  # public
    shared: bytes


def _agreed(shares: Mapping[int, bytes]) -> _Agreed | None:
    """One of the groups that a client has sent a key for; None if there is none. TlsError for no key."""
    try:
        if share := shares.get(tls13.X25519):
            private = X25519PrivateKey.generate()
            shared = private.exchange(X25519PublicKey.from_public_bytes(share))
            return _Agreed(tls13.X25519, private.public_key().public_bytes_raw(), shared)
        if share := shares.get(tls13.P256):
            other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), share)
            own = ec.generate_private_key(ec.SECP256R1())
            point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return _Agreed(tls13.P256, point, own.exchange(ec.ECDH(), other))
    except ValueError as error:
        raise TlsError(f"the client's key is none: {error}") from error
    return None


def _server_hello(hello: HelloFields, agreed: _Agreed, inner: bytes) -> bytes:
    """It; with the sign of acceptance if the hello was an `inner` one."""
    share = agreed.group.to_bytes(2, "big") + vector(agreed.mine, 2)
    extensions = tls13.extension(tls13.VERSIONS, b"\3\4") + tls13.extension(tls13.KEY_SHARE, share)

    def written(random: bytes) -> bytes:
        suite = tls13.SUITE.to_bytes(2, "big")
        body = b"\3\3" + random + vector(hello.session, 1) + suite + b"\0" + vector(extensions, 2)
        return tls13.message(tls13.SERVER_HELLO, body)

    random = os.urandom(32)
    if not inner:
        return written(random)
    sign = tls13.acceptance(hello.random, inner + written(random[:24] + bytes(8)))
    return written(random[:24] + sign)


def _proved(welcome: Welcome, key: EchKey, identity: Identity, mine: TrafficKey, transcript: bytes) -> bytes:
    """From EncryptedExtensions to Finished."""
    offered = welcome.hello.get(_ALPN) or b""
    extensions = tls13.extension(_ALPN, vector(vector(_HTTP, 1), 2)) if _HTTP in offered else b""
    extensions += tls13.extension(ECH, key.config_list) if welcome.offered else b""  # what to use instead
    said = tls13.message(tls13.ENCRYPTED_EXTENSIONS, vector(extensions, 2))
    listed = b"".join(vector(one, 3) + b"\0\0" for one in identity.chain)
    said += tls13.message(tls13.CERTIFICATE, b"\0" + vector(listed, 3))
    signed = to_sign(transcript + said)
    signature = identity.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    said += tls13.message(
        tls13.CERTIFICATE_VERIFY, tls13.ECDSA_P256.to_bytes(2, "big") + vector(signature, 2)
    )
    return said + tls13.message(tls13.FINISHED, mine.finished(transcript + said))


def to_sign(transcript: bytes) -> bytes:
    """What a server's certificate signs (RFC 8446 section 4.4.3)."""
    return b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + hashlib.sha256(transcript).digest()
