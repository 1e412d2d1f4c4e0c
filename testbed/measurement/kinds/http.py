"""http://NAME/: a page over plain HTTP/1.1."""

from typing import ClassVar

from testbed.measurement.target import ProbeKind, Steps, Target


class HttpKind(ProbeKind):
    """A page, or the speed of a download if the path is /bytes/N (see `testbed.internet.web`)."""

    scheme: ClassVar[str] = "http"
    form: ClassVar[str] = "http://NAME/"
    transport: ClassVar[str] = "http"
    port: ClassVar[int] = 80

    def bulk(self, target: Target) -> bool:
        """A download of so many bytes."""
        return target.path.startswith("/bytes/")

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(connection, target)
