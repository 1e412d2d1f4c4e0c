"""QUIC v1 Initials as clients send them, encrypted, for the cases."""

from testbed.conformance.payloads import X, handshake
from testbed.shapes.hellobytes import extension
from testbed.shapes.initials import DCID, LEAST, crypto, initial_packet, scattered


def initial(
    name: str | None = X,
    *,
    layout: str = "ngtcp2",
    ech: bool = False,
    dcid: bytes = DCID,
    padding: int = 0,
) -> bytes:
    """A client's Initial with a ClientHello for `name`.

    `layout`: "ngtcp2" has one CRYPTO frame and padding after it; "chromium" several CRYPTO frames out of
    order with PINGs and padding between them. The last `padding` of its bytes are zeros after
    the packet.
    """
    alpn = extension(16, b"\0\x03\x02h3") + extension(43, b"\2\3\4") + extension(57, b"\4\4\x80\0\xff\xff")
    more = extension(0xFE0D, b"\0\0\1\0\1\x2a\0\x20" + bytes(32) + b"\0\x80" + bytes(128)) if ech else b""
    message = handshake(name, after=alpn + more)
    frames = crypto(message, 0) if layout == "ngtcp2" else scattered(message)
    return initial_packet(frames, dcid, size=LEAST - padding) + bytes(padding)


def initials(name: str | None = X, *, dcid: bytes = DCID) -> tuple[bytes, bytes]:
    """The same over two datagrams, as clients with a post-quantum key share send it."""
    message = handshake(name, after=extension(16, b"\0\x03\x02h3") + extension(21, bytes(1200)))
    half = len(message) // 2
    return initial_packet(crypto(message[:half], 0), dcid), initial_packet(
        crypto(message[half:], half), dcid, 1
    )
