"""https://NAME/: a page over TLS."""

from typing import ClassVar

from testbed.measurement.kinds.http import HttpKind
from testbed.measurement.target import Steps, Target


class HttpsKind(HttpKind):
    """The same as `HttpKind`, over TLS."""

    scheme: ClassVar[str] = "https"
    form: ClassVar[str] = "https://NAME/"
    transport: ClassVar[str] = "tls"
    port: ClassVar[int] = 443

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, TLS, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(steps.secure(connection, target.host), target)
