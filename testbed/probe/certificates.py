"""A server's certificates: what a record keeps of them, and why they were refused (df-007)."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from cryptography import x509

from testbed.measurement.certificate import issuer_of
from testbed.measurement.ooni import BinaryData
from testbed.measurement.target import is_address

EXPIRED, WRONG_NAME, UNTRUSTED = "ssl_invalid_certificate", "ssl_invalid_hostname", "ssl_unknown_authority"
_NAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NO_TRUST = {2, 18, 19, 20, 21}  # no issuer, self-signed leaf or chain, no local issuer, leaf not verified


def chain_of(tls: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server sent, DER, the leaf first; also those of a handshake that failed.

    The public way to them, `get_unverified_chain`, came with Python 3.13; this is what it calls.
    """
    inner: Any = tls._sslobj  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner.get_unverified_chain() or ()]


def record(chain: Sequence[bytes]) -> dict[str, Any]:
    """The fields of a `TlsHandshake` that come from the certificates."""
    if not chain:
        return {}
    return {
        "peer_certificates": tuple(BinaryData.of(der) for der in chain),
        "leaf_sha256": sha256(chain[0]).hexdigest(),
        "issuer": issuer_of(chain[0]),
    }


def refusal(verify_code: int) -> str:
    """The failure for OpenSSL's reason."""
    if verify_code in _NAME_MISMATCH:
        return WRONG_NAME
    return UNTRUSTED if verify_code in _NO_TRUST else EXPIRED


def refusal_of_leaf(der: bytes, name: str, otherwise: str) -> str:
    """The failure that OONI reports for a refused leaf: of several faults, the one that Go looks at first.

    Go's order is dates, name, authority; OpenSSL's is authority, dates, name. `otherwise` is the failure if
    dates and name are right.
    """
    try:
        leaf = x509.load_der_x509_certificate(der)
        if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
            return EXPIRED
        return otherwise if _is_for(leaf, name) else WRONG_NAME
    except ValueError:
        return otherwise


def _is_for(leaf: x509.Certificate, name: str) -> bool:
    """Whether a certificate is for `name`: by its alternative names alone, as Go looks at them."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if is_address(name):
        return ip_address(name) in names.get_values_for_type(x509.IPAddress)
    accepted = {name.lower(), "*." + name.lower().partition(".")[2]}  # a wildcard is for one label (RFC 6125)
    return any(one.lower() in accepted for one in names.get_values_for_type(x509.DNSName))
