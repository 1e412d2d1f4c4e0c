"""OONI's failure strings (df-007) for what Python raises."""

import errno
import ssl

TIMEOUT = "generic_timeout_error"
EOF = "eof_error"
RESET = "connection_reset"
REFUSED = "connection_refused"
UNKNOWN = "unknown_failure"  # prefix: "unknown_failure: …"

_ERRNO = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.ECONNABORTED: "connection_aborted",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.EHOSTDOWN: "host_unreachable",
    # Linux's reading of ICMPv6 "administratively prohibited"; df-007 has no word of its own for it.
    errno.EACCES: "host_unreachable",
    errno.EPERM: "host_unreachable",
    errno.ENETUNREACH: "network_unreachable",
    errno.EADDRNOTAVAIL: "network_unreachable",
    errno.ENETDOWN: "network_down",
    errno.ETIMEDOUT: TIMEOUT,
}
_NAME_MISMATCH = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NO_TRUST = {2, 18, 19, 20, 21}  # no issuer, self-signed leaf or chain, no local issuer, leaf not verified


class MeasurementError(Exception):
    """A step ended with a failure that has its df-007 string already."""


def of(error: BaseException) -> str:
    """The df-007 string of an exception raised by a socket, TLS or HTTP step."""
    if isinstance(error, MeasurementError):
        return str(error)
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code)
    if isinstance(error, EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return EOF
    if isinstance(error, ssl.SSLError):
        return "ssl_failed_handshake"
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno]
    return f"{UNKNOWN}: {type(error).__name__}: {error}"


def _certificate(code: int) -> str:
    if code in _NAME_MISMATCH:
        return "ssl_invalid_hostname"
    return "ssl_unknown_authority" if code in _NO_TRUST else "ssl_invalid_certificate"
