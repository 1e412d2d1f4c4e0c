"""quic://NAME/: a handshake over UDP."""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target


class QuicKind(ProbeKind):
    """A QUIC handshake with a certificate that is trusted, and no request."""

    scheme: ClassVar[str] = "quic"
    form: ClassVar[str] = "quic://NAME/"
    transport: ClassVar[str] = "quic"
    port: ClassVar[int] = 443
    modules: ClassVar[tuple[str, ...]] = ("aioquic.asyncio.protocol", "aioquic.h3.connection")

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, QUIC."""
        steps.open_quic(target)
