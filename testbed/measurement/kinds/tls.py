"""tls://NAME/: a handshake over TCP."""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target


class TlsKind(ProbeKind):
    """A handshake with a certificate that is trusted, and no request.

    TLS 1.3 ends for the client before anything of the server's has answered its last flight: a box that acts
    later than on the ServerHello is not seen.
    """

    scheme: ClassVar[str] = "tls"
    form: ClassVar[str] = "tls://NAME/"
    transport: ClassVar[str] = "tls"
    port: ClassVar[int] = 443

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, TLS."""
        with steps.connect(target) as connection:
            steps.secure(connection, target.host)
