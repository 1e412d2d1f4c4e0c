"""The run's own certification authority: a root that the vantage trusts, an intermediate, and leaves for the servers.

Chains look like those of public authorities of 2022: ECDSA P-256, one intermediate, leaves valid for 90 days.
No private key touches a disk.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, KeyUsage, Name

# Where the distributions keep their bundle, the same list as Go's crypto/x509 (root_linux.go).
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/tls/cacert.pem",  # OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/cert.pem",  # Alpine
)

ORGANISATION = "Testbed Authority"
LEAF_LIFE = timedelta(days=90)  # as Let's Encrypt; browsers accept 398 days at most
AUTHORITY_LIFE = timedelta(days=3650)
AGE = timedelta(days=10)  # certificates begin in the past: clients may have slow clocks


@dataclass(frozen=True)
class Authority:
    """A root and its intermediate. Lives in memory for one run."""

    root: "Certificate"
    intermediate: "Certificate"
    key: "EllipticCurvePrivateKey"  # the intermediate's

    @classmethod
    def create(cls) -> "Authority":
        """A new authority with fresh keys; about a millisecond after imports."""
        from cryptography.hazmat.primitives import hashes  # heavy: only who issues pays for it

        root_key, key = _new_key(), _new_key()
        root_name, name = _name("Testbed Root R1"), _name("Testbed TLS E1")
        begin = datetime.now(UTC) - AGE
        root = _authority(root_name, root_name, root_key, root_key, begin, path_length=1)
        intermediate = _authority(name, root_name, key, root_key, begin, path_length=0)
        return cls(root.sign(root_key, hashes.SHA256()), intermediate.sign(root_key, hashes.SHA256()), key)

    @property
    def root_pem(self) -> str:
        """The root alone: what a client must trust."""
        return _pem(self.root)

    def bundle_pem(self, *, system: bool = False) -> str:
        """The root, after this machine's own bundle if `system` (which may be absent)."""
        return (system_bundle() if system else "") + self.root_pem

    def subject_hash(self) -> str:
        """The root's file name in an OpenSSL certificate directory, without ".0": `openssl x509 -subject_hash`.

        OpenSSL hashes the subject with its values lowercased and without the outer SEQUENCE header (X509_NAME_hash).
        """
        lowered = _name("testbed root r1", ORGANISATION.lower()).public_bytes()
        return f"{int.from_bytes(hashlib.sha1(lowered[2:]).digest()[:4], 'little'):08x}"

    def certificate_for(self, names: Sequence[str], addresses: Sequence[str] = ()) -> tuple[str, str]:
        """A server's certificate for all `names` and `addresses`: (leaf and intermediate as PEM, its key as PEM)."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = _new_key()
        common_name = next((name for name in names if len(name) <= 64), None)  # RFC 5280: ub-common-name
        subject = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
        )
        alternatives = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ip_address(address)) for address in addresses]
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
        leaf = (
            _certificate(
                subject, self.intermediate.subject, key, self.key, datetime.now(UTC) - AGE, LEAF_LIFE
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=not common_name)
            .sign(self.key, hashes.SHA256())
        )
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return _pem(leaf) + _pem(self.intermediate), key_pem

    def files_for(self, names: Sequence[str], addresses: Sequence[str] = ()) -> tuple[str, str]:
        """`certificate_for` as two files that exist only in this process and those it forks: (chain, key)."""
        chain, key = self.certificate_for(names, addresses)
        return _in_memory(chain), _in_memory(key)


def system_bundle() -> str:
    """This machine's own bundle as PEM, "" if it has none."""
    for path in map(Path, SYSTEM_BUNDLES):
        if path.is_file():
            text = path.read_text()
            return text if text.endswith("\n") else text + "\n"
    return ""


def _in_memory(text: str) -> str:
    """The path of a new anonymous file: TLS libraries want files, and a private key has no business on a disk."""
    fd = os.memfd_create("pem")
    os.write(fd, text.encode())
    return f"/proc/self/fd/{fd}"


def _new_key() -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str, organisation: str = ORGANISATION) -> "Name":
    from cryptography import x509

    attributes = ((x509.NameOID.ORGANIZATION_NAME, organisation), (x509.NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def _certificate(
    subject: "Name",
    issuer: "Name",
    key: "EllipticCurvePrivateKey",
    issuer_key: "EllipticCurvePrivateKey",
    begin: datetime,
    life: timedelta,
) -> "CertificateBuilder":
    from cryptography import x509

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


def _authority(
    subject: "Name",
    issuer: "Name",
    key: "EllipticCurvePrivateKey",
    issuer_key: "EllipticCurvePrivateKey",
    begin: datetime,
    path_length: int,
) -> "CertificateBuilder":
    from cryptography import x509

    return (
        _certificate(subject, issuer, key, issuer_key, begin, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )


def _key_usage(**used: bool) -> "KeyUsage":
    from cryptography import x509

    kinds = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{kind: used.get(kind, False) for kind in kinds})


def _pem(certificate: "Certificate") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()
