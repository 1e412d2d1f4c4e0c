"""ClientHellos of a real client, made in memory."""

import ssl


def hello(name: str = "twitter.com") -> bytes:
    """The first bytes of OpenSSL for this server name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")
