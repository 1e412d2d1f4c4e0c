"""Reading a certificate. Slow to import: cryptography."""

from cryptography import x509


def issuer_of(der: bytes) -> str:
    """The issuer's name (RFC 4514), "" if the certificate cannot be read."""
    try:
        return x509.load_der_x509_certificate(der).issuer.rfc4514_string()
    except ValueError:
        return ""
