"""A client with Encrypted ClientHello: TLS 1.3, the outer hello with the server's public name.

Its server is a front abroad, which takes the name that the filter must not see and passes the request on to
that site. Its certificate is for that name, too: it is checked for the inner one.
"""

import asyncio
import os
import ssl
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from testbed.internet import tls13
from testbed.internet.echkeys import ECH, SUITE, EchKey, sealed
from testbed.internet.echserver import to_sign
from testbed.internet.services.ech import EchFront
from testbed.internet.tls13 import HandshakeSecrets, HelloFields, Reader, TlsError, TrafficKey, vector
from testbed.internet.tlsstream import TlsStream
from testbed.model import Host

PUBLIC_NAME: Final = "front.example.net"
_TAG: Final = 16  # bytes that AES-GCM adds
_PADDED: Final = 32  # bytes: a multiple of them (RFC 9849 section 6.1.3)


def front_of(site: str) -> Host:
    """The server of the live matrix, at Hetzner."""
    place = (("95.216.3.251",), ("2a01:4f9:0:3::fb",), 24940, "FI")
    return Host("front", (PUBLIC_NAME,), *place, services=(EchFront(PUBLIC_NAME, fronted=(site,)),))


async def shaken(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, trusted: Store, *, hidden: bool
) -> TlsStream:
    """Shake hands with the front for the site `name`: encrypted, or in the open. ValueError if that fails."""
    key, private = EchKey.of(PUBLIC_NAME), X25519PrivateKey.generate()
    inner = _hello(name, private, os.urandom(32))
    inner = replace(inner, extensions=(*inner.extensions, (ECH, b"\1"))) if hidden else inner
    sent = _outer(inner, key, private) if hidden else inner
    stream = TlsStream(reader, writer)
    stream.send(tls13.HANDSHAKE, tls13.message(tls13.CLIENT_HELLO, sent.body()))
    kind, body, answer = await stream.message()
    if kind != tls13.SERVER_HELLO:
        raise TlsError("the server does not begin with a ServerHello")
    transcript = tls13.message(tls13.CLIENT_HELLO, inner.body())
    if hidden:
        random = HelloFields.read(body, server=True).random
        without = answer.replace(random, random[:24] + bytes(8), 1)
        if random[24:] != tls13.acceptance(inner.random, transcript + without):
            raise TlsError("the server did not take the encrypted hello")
    transcript += answer
    shared = private.exchange(X25519PublicKey.from_public_bytes(_share(body)))
    secrets = HandshakeSecrets.of(shared, transcript)
    stream.mine, stream.theirs = TrafficKey(secrets.client), TrafficKey(secrets.server)
    transcript = await _verified(stream, transcript, trusted, name)
    mine, theirs = secrets.traffic(transcript)
    stream.change()
    stream.send(tls13.HANDSHAKE, tls13.message(tls13.FINISHED, stream.mine.finished(transcript)))
    stream.mine, stream.theirs = mine, theirs
    return stream


def _hello(name: str, private: X25519PrivateKey, random: bytes) -> HelloFields:
    share = b"\0\x1d" + vector(private.public_key().public_bytes_raw(), 2)
    extensions = (
        (tls13.SERVER_NAME, vector(b"\0" + vector(name.encode(), 2), 2)),
        (0x000A, vector(b"\0\x1d", 2)),
        (0x000D, vector(b"\4\3", 2)),
        (tls13.VERSIONS, vector(b"\3\4", 1)),
        (tls13.KEY_SHARE, vector(share, 2)),
    )
    return HelloFields(random, os.urandom(32), b"\x13\1", extensions)


def _outer(inner: HelloFields, key: EchKey, private: X25519PrivateKey) -> HelloFields:
    """The hello that everybody sees, with the inner one sealed in it (sections 5.1 and 5.2)."""
    encoded = replace(inner, session=b"").body()
    encoded += bytes(-len(encoded) % _PADDED)
    sender = X25519PrivateKey.generate()
    enc = vector(sender.public_key().public_bytes_raw(), 2)
    front = _hello(key.public_name, private, os.urandom(32))

    def with_payload(payload: bytes) -> HelloFields:
        data = b"\0" + SUITE + bytes([key.number]) + enc + vector(payload, 2)
        return replace(front, session=inner.session, extensions=(*front.extensions, (ECH, data)))

    aad = with_payload(bytes(len(encoded) + _TAG)).body()
    return with_payload(sealed(key, encoded, aad, sender))


def _share(body: bytes) -> bytes:
    data = HelloFields.read(body, server=True).get(tls13.KEY_SHARE) or b""
    reader = Reader(data)
    if reader.number(2) != tls13.X25519:
        raise TlsError("the server wants another group")
    return reader.vector(2)


async def _verified(stream: TlsStream, transcript: bytes, trusted: Store, name: str) -> bytes:
    """The transcript up to the server's Finished, with everything in it checked."""
    chain: list[x509.Certificate] = []
    while True:
        kind, body, whole = await stream.message()
        if kind == tls13.CERTIFICATE:
            chain = _chain(body)
        elif kind == tls13.CERTIFICATE_VERIFY:
            _check(chain, body, transcript, trusted, name)
        elif kind == tls13.FINISHED:
            assert stream.theirs is not None
            if body != stream.theirs.finished(transcript) or not chain:
                raise TlsError("the server's Finished is wrong")
            return transcript + whole
        transcript += whole


def _chain(body: bytes) -> list[x509.Certificate]:
    listed = Reader(Reader(body[1:]).vector(3))
    return [
        x509.load_der_x509_certificate(one)
        for one in [(listed.vector(3), listed.vector(2))[0] for _ in listed]
    ]


def _check(chain: list[x509.Certificate], body: bytes, transcript: bytes, trusted: Store, name: str) -> None:
    if not chain:
        raise TlsError("the server has no certificate")
    public = chain[0].public_key()
    signature = Reader(body[2:]).vector(2)
    try:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, to_sign(transcript), ec.ECDSA(hashes.SHA256()))
        verifier = PolicyBuilder().store(trusted).build_server_verifier(x509.DNSName(name))
        verifier.verify(chain[0], chain[1:])
    except (InvalidSignature, VerificationError) as error:
        raise TlsError(f"the server's certificate: {error}") from error


@cache
def trusted_here() -> Store:
    """The authorities of the process's machine."""
    bundle = ssl.get_default_verify_paths().cafile or ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # an old authority's serial number
        return Store(x509.load_pem_x509_certificates(Path(bundle).read_bytes()))
