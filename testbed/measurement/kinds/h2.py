"""h2://NAME/: a page over HTTP/2."""

from typing import ClassVar

from testbed.measurement.kinds.https import HttpsKind
from testbed.measurement.target import Steps, Target


class H2Kind(HttpsKind):
    """The same as `HttpsKind`, over HTTP/2, where the server speaks it. No speed is measured."""

    scheme: ClassVar[str] = "h2"
    form: ClassVar[str] = "h2://NAME/"
    modules: ClassVar[tuple[str, ...]] = ("h2.connection",)

    def bulk(self, target: Target) -> bool:
        """Never."""
        return False

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, TLS, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(steps.secure(connection, target.host, protocol="h2"), target)
