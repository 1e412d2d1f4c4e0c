"""A step with a real TLS handshake: whose certificate the client gets."""

import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from testbed.conformance.backend import Who
from testbed.conformance.exchange import Exchange, Header
from testbed.conformance.packets import ReceivedPacket, read
from testbed.conformance.steps import OPENED, StepResult

_SEGMENT = 1400


@dataclass(frozen=True, slots=True)
class Certificate:
    """L opens a TLS connection to `name` at R's address; the genuine server's certificate is valid.

    At the address `stranger` another server answers with a self-signed certificate. L must get `expected`.
    """

    name: str
    stranger: str
    expected: Literal["self-signed", "valid"]

    def run(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        got, text = self._handshake(exchange)
        return StepResult(got == self.expected, text)

    def run_twin(self, exchange: Exchange) -> StepResult:
        """See `steps.DialogueStep`."""
        return replace(self, expected="valid").run(exchange)

    def _handshake(self, exchange: Exchange) -> tuple[str, str]:
        trusted, servers = _servers(self.name)
        client = _Side(trusted, self.name)
        true = exchange.right
        other = true
        for opening in OPENED:  # the diversion shows in the SYN's destination
            wire = exchange.backend.send(
                opening.who, [exchange.packet(opening.who, b"", opening.letters, Header())]
            )
            arrived = _only(wire.at["R"])
            if opening.flags == "S" and arrived:
                other = arrived.destination
            exchange.change(right=true if opening.who == "R" else other)
        reached = "true" if other == true else "stranger"
        server = _Side(servers[reached])
        for _ in range(6):
            exchange.change(right=true)
            self._carry(exchange, "L", client, server)
            exchange.change(right=other)
            self._carry(exchange, "R", server, client)
            if client.done:
                break
        who = "the genuine server" if reached == "true" else f"the server at {other}"
        return client.verdict, f"L reached {who}; its certificate: {client.text}"

    def _carry(self, exchange: Exchange, who: Who, sender: "_Side", receiver: "_Side") -> None:
        """Send what one side has to send, in segments; pass what arrives to the other side."""
        data = sender.step()
        for at in range(0, len(data), _SEGMENT):
            wire = exchange.backend.send(
                who, [exchange.packet(who, data[at : at + _SEGMENT], "PA", Header())]
            )
            if arrived := _only(wire.at["R" if who == "L" else "L"]):
                receiver.receive(arrived.payload)


def _only(arrived: list[bytes]) -> ReceivedPacket | None:
    return read(arrived[0]) if len(arrived) == 1 else None


class _Side:
    """One end of a TLS connection, without a socket."""

    def __init__(self, context: ssl.SSLContext, name: str | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=name is None, server_hostname=name)
        self.verdict, self.text, self.done = "none", "none seen", False

    def step(self) -> bytes:
        """Continue the handshake; return what is to be sent."""
        if not self.done:
            try:
                self._tls.do_handshake()
                self.verdict, self.text, self.done = "valid", "valid", True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                lone = error.verify_code in (18, 19)  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, …_IN_CHAIN
                self.verdict = "self-signed" if lone else "invalid"
                self.text, self.done = error.verify_message, True
            except ssl.SSLError as error:
                self.text, self.done = str(error.reason), True
        return self._out.read()

    def receive(self, data: bytes) -> None:
        """Take received bytes."""
        self._in.write(data)


@cache
def answer_of_tls12(name: str) -> bytes:
    """A TLS 1.2 server's first flight up to its certificate, for this name: ServerHello and Certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    named = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
    builder = x509.CertificateBuilder(named, named, key.public_key(), 4711)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    alternative = x509.SubjectAlternativeName([x509.DNSName("www." + name), x509.DNSName(name)])
    made = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    entry = made.public_bytes(serialization.Encoding.DER)
    listed = (len(entry) + 3).to_bytes(3, "big") + len(entry).to_bytes(3, "big") + entry
    hello = b"\x02\0\0\x26\x03\x03" + bytes(32) + b"\0\xc0\x2b\0"
    messages = (hello, b"\x0b" + len(listed).to_bytes(3, "big") + listed)
    return b"".join(b"\x16\x03\x03" + len(one).to_bytes(2, "big") + one for one in messages)


@cache
def _servers(name: str) -> tuple[ssl.SSLContext, dict[str, ssl.SSLContext]]:
    """A client's context that trusts one authority; the contexts of the genuine server and of a stranger."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)

    def made(subject: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, signer, *, ca: bool):  # type: ignore[no-untyped-def]
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = x509.CertificateBuilder(
            issuer or named, named, key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(signer, hashes.SHA256())

    def context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            place = Path(folder, "both.pem")
            plain = serialization.NoEncryption()
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            pem = serialization.Encoding.PEM
            place.write_bytes(certificate.public_bytes(pem) + key.private_bytes(*form))
            server.load_cert_chain(place)
        return server

    authority_key, own_key, foreign_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = made("Authority", None, authority_key, authority_key, ca=True)
    own = made(name, authority.subject, own_key, authority_key, ca=False)
    foreign = made("Internet Widgits Pty Ltd", None, foreign_key, foreign_key, ca=False)
    client = ssl.create_default_context(
        cadata=authority.public_bytes(serialization.Encoding.PEM).decode("ascii")
    )
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return client, {"true": context(own, own_key), "stranger": context(foreign, foreign_key)}
