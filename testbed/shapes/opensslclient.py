"""The client that Python's own ssl is, with one ClientHello wherever this runs."""

import ssl
from typing import Final

_CIPHERS: Final = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""Python's own default (PY_SSL_DEFAULT_CIPHER_STRING in its Modules/_ssl.c).

Debian and Ubuntu build their Python to leave the choice to OpenSSL: 30 more ciphers, and TLS 1.0 on offer.
"""


def openssl_client(ca_file: str | None = None, *protocols: str) -> ssl.SSLContext:
    """A verifying context that trusts `ca_file`, or the system's own store, and offers `protocols` by ALPN.

    TLS 1.2 and 1.3.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(protocols)
    # One group keeps the ClientHello within a segment, as clients' were until 2024. OpenSSL 3.5 would add a
    # post-quantum key of 1,216 bytes, and a box that reads one packet at a time would miss the name.
    context.set_ecdh_curve("prime256v1")
    return context
