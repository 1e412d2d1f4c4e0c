"""Kinds of targets: a ClientHello with Encrypted ClientHello, or without, to any server of TLS or QUIC.

A server without the key goes on with the outer hello (RFC 9849 7.1): any answer shows that it came.
`ech://NAME/` is over TCP, `ech+quic://NAME/` over QUIC. The path `/off` leaves the extension out, as a client
does in which ECH is off.
"""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target

_CIPHERS = (0x1301, 0x1302, 0x1303)
_SIGNATURES = (0x0403, 0x0804, 0x0401)
_PAYLOAD = 144  # bytes of the inner hello, encrypted: a size of Chrome's


class EchTcp(ProbeKind):
    """A ClientHello in one segment; success is the server's first bytes."""

    scheme: ClassVar[str] = "ech"
    form: ClassVar[str] = "ech://NAME/"
    transport: ClassVar[str] = "tls"
    port: ClassVar[int] = 443
    steps_only: ClassVar[bool] = True

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, one ClientHello, its answer."""
        from testbed.shapes.hellobytes import record

        with steps.connect(target) as connection:
            steps.offer(connection, record(_hello(target, quic=False)), target.host)


class EchQuic(EchTcp):
    """The same hello in a QUIC Initial; success is a datagram of the server's."""

    scheme: ClassVar[str] = "ech+quic"
    form: ClassVar[str] = "ech+quic://NAME/"
    transport: ClassVar[str] = "quic"

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, one Initial, its answer."""
        from testbed.shapes.initials import crypto, initial_packet

        with steps.datagrams(target) as flow:
            hello = initial_packet(crypto(_hello(target, quic=True), 0), dcid=steps.random_bytes(8))
            steps.offer(flow, hello, target.host)


def _hello(target: Target, *, quic: bool) -> bytes:
    from testbed.shapes.hellobytes import (
        X25519,
        extension,
        hello_of,
        numbers,
        outer_ech,
        protocols,
        server_name,
        shares,
    )

    extensions = [
        server_name(target.host),
        extension(0x0A, numbers((X25519,))),
        extension(0x0D, numbers(_SIGNATURES)),
        protocols("h3") if quic else protocols("h2", "http/1.1"),
        extension(0x2B, b"\2\3\4"),
        extension(0x2D, b"\1\1"),
        shares((X25519, 32)),
    ]
    if quic:
        extensions.append(extension(0x39, b"\x0f\0"))  # transport parameters: its connection id is empty
    if target.path != "/off":
        extensions.append(outer_ech(_PAYLOAD))
    return hello_of(extensions, _CIPHERS, session=0 if quic else 32)
