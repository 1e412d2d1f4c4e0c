"""OONI's failure strings (df-007, and errno names as OONI's engine has them) for what Python raises."""

import errno
import os
import ssl

from testbed.probe.certificates import refusal

TIMEOUT = "generic_timeout_error"
EOF = "eof_error"
RESET = "connection_reset"
REFUSED = "connection_refused"
UNKNOWN = "unknown_failure"  # prefix: "unknown_failure: …"

# Every errno that OONI's engine names; others, such as EPIPE and EPERM, are an unknown failure there.
_ERRNO = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ETIMEDOUT: "timed_out",
    errno.EAFNOSUPPORT: "address_family_not_supported",
    errno.EADDRINUSE: "address_in_use",
    errno.EADDRNOTAVAIL: "address_not_available",
    errno.EISCONN: "already_connected",
    errno.EFAULT: "bad_address",
    errno.EBADF: "bad_file_descriptor",
    errno.ECONNABORTED: "connection_aborted",
    errno.EALREADY: "connection_already_in_progress",
    errno.EDESTADDRREQ: "destination_address_required",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid_argument",
    errno.EMSGSIZE: "message_size",
    errno.ENETDOWN: "network_down",
    errno.ENETRESET: "network_reset",
    errno.ENETUNREACH: "network_unreachable",
    errno.ENOBUFS: "no_buffer_space",
    errno.ENOPROTOOPT: "no_protocol_option",
    errno.ENOTSOCK: "not_a_socket",
    errno.ENOTCONN: "not_connected",
    errno.EWOULDBLOCK: "operation_would_block",
    errno.EACCES: "permission_denied",
    errno.EPROTONOSUPPORT: "protocol_not_supported",
    errno.EPROTOTYPE: "wrong_protocol_type",
}


class MeasurementError(Exception):
    """A step ended with a failure that has its df-007 string already."""


def of(error: BaseException) -> str:
    """The df-007 string of an exception raised by a socket, TLS or HTTP step."""
    if isinstance(error, MeasurementError):
        return str(error)
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return _ERRNO.get(error.errno) or f"{UNKNOWN}: {os.strerror(error.errno).lower()}"
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return refusal(error.verify_code)
    if isinstance(error, EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return EOF
    if isinstance(error, ssl.SSLError):
        unrecognized = "UNRECOGNIZED_NAME" in (error.reason or "")
        return "ssl_invalid_hostname" if unrecognized else "ssl_failed_handshake"
    return f"{UNKNOWN}: {type(error).__name__}: {error}"
