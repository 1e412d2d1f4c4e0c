"""The run's own certification authority: a root that the vantage trusts, an intermediate, leaves.

Chains look like those of public authorities of 2022: ECDSA P-256, one intermediate, leaves valid for 90 days.
No private key touches a disk, unless the user has one kept (`keep`). Importing this takes 50 ms.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.internet.bundles import system_bundle

ORGANISATION = "Testbed Authority"
ROOT = "Testbed Root R1"
INTERMEDIATE = "Testbed TLS E1"
LEAF_LIFE = timedelta(days=90)  # as Let's Encrypt; browsers accept 398 days at most
AUTHORITY_LIFE = timedelta(days=3650)
AGE = timedelta(days=10)  # certificates begin in the past: clients may have slow clocks
MAX_COMMON_NAME = 64  # characters (RFC 5280, ub-common-name)


@dataclass(frozen=True)
class Authority:
    """A root and its intermediate, in memory. It can be pickled."""

    root: x509.Certificate
    intermediate: x509.Certificate
    key: ec.EllipticCurvePrivateKey  # the intermediate's

    @classmethod
    def create(cls) -> "Authority":
        """A new authority with fresh keys, in about a millisecond."""
        root_key, key = _new_key(), _new_key()
        root = _authority(ROOT, root_key, root_key, path_length=1)
        return cls(root, _authority(INTERMEDIATE, key, root_key, path_length=0), key)

    @classmethod
    def from_pem(cls, root: str, intermediate: str, key: str) -> "Authority":
        """What `to_pem` gave. ValueError or TypeError for what is not that."""
        loaded = load_pem_private_key(key.encode(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError("the key is not one of an elliptic curve")
        load = x509.load_pem_x509_certificate
        return cls(load(root.encode()), load(intermediate.encode()), loaded)

    def to_pem(self) -> tuple[str, str, str]:
        """Root, intermediate and the intermediate's private key."""
        return _pem(self.root), _pem(self.intermediate), _key_pem(self.key)

    def __reduce__(self) -> tuple[Callable[..., "Authority"], tuple[str, str, str]]:
        """Pickled as text: cryptography's objects cannot be."""
        return Authority.from_pem, self.to_pem()

    @property
    def root_pem(self) -> str:
        """The root alone: what a client must trust."""
        return _pem(self.root)

    def bundle_pem(self, system: bool = False) -> str:  # noqa: FBT001, FBT002 (reads well either way)
        """The root, after this machine's own bundle if `system` (which may have none)."""
        return (system_bundle() if system else "") + self.root_pem

    def java_trust_store(self) -> bytes:
        """The root as a PKCS #12 trust store of Java's kind. It has no password: it holds no secret."""
        from cryptography.hazmat.primitives.serialization import pkcs12  # few need it

        return pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(self.root, b"testbed")], NoEncryption()
        )

    def subject_hash(self) -> str:
        """The root's name in an OpenSSL certificate directory, without ".0": `openssl x509 -subject_hash`."""
        # X509_NAME_hash: of the subject in lower case, without the header of the outer SEQUENCE.
        lowered = _name(ROOT.lower(), ORGANISATION.lower()).public_bytes()
        return f"{int.from_bytes(hashlib.sha1(lowered[2:]).digest()[:4], 'little'):08x}"

    def certificate_for(
        self, names: Sequence[str], addresses: Sequence[str] = (), age: timedelta = AGE
    ) -> tuple[str, str]:
        """A certificate for all `names` and `addresses`: (leaf and intermediate as PEM, the key as PEM).

        It is `age` old: after `LEAF_LIFE` it has expired.
        """
        key = _new_key()
        common = [name for name in names if len(name) <= MAX_COMMON_NAME][:1]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common])
        identities: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        identities += [x509.IPAddress(ip_address(address)) for address in addresses]
        leaf = (
            _certificate(subject, self.intermediate.subject, key, self.key, LEAF_LIFE, age)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(identities), critical=not common)
            .sign(self.key, hashes.SHA256())
        )
        return _pem(leaf) + _pem(self.intermediate), _key_pem(key)


def leaf_of(chain: str) -> str:
    """The first certificate of a chain in PEM."""
    end = "-----END CERTIFICATE-----\n"
    return chain.partition(end)[0] + end


def self_signed(names: Sequence[str]) -> tuple[str, str]:
    """A certificate that no client should accept, as PEM like `Authority.certificate_for`.

    Its subject is OpenSSL's default, it signs itself, and it expired on 12 November 2014: what OONI saw in
    place of bbc.com's in March 2022 (OONI22).
    """
    key, expired = _new_key(), datetime(2014, 11, 12, tzinfo=UTC)
    name = _name(names[0][:64], "Internet Widgits Pty Ltd")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expired - timedelta(days=365))
        .not_valid_after(expired)
        .sign(key, hashes.SHA256())
    )
    return _pem(certificate), _key_pem(key)


def in_memory(text: str) -> str:
    """The path of a new anonymous file that only this process and those it forks can open.

    TLS libraries take keys from files, and a key belongs on no disk.
    """
    fd = os.memfd_create("pem")
    os.write(fd, text.encode())
    return f"/proc/self/fd/{fd}"


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str, organisation: str = ORGANISATION) -> x509.Name:
    attributes = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _authority(
    name: str, key: ec.EllipticCurvePrivateKey, root_key: ec.EllipticCurvePrivateKey, path_length: int
) -> x509.Certificate:
    return (
        _certificate(_name(name), _name(ROOT), key, root_key, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(root_key, hashes.SHA256())
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    life: timedelta,
    age: timedelta = AGE,
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - age
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_id, critical=False)
    )


def _key_usage(*used: str) -> x509.KeyUsage:
    kinds: tuple[str, ...] = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
    )
    kinds += ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{kind: kind in used for kind in kinds})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
