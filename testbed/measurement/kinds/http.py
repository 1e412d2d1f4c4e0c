"""http://NAME/: a page over plain HTTP/1.1."""

from typing import ClassVar

from testbed.measurement.target import Fault, ProbeKind, Steps, Target

_BYTES = "/bytes/"


class HttpKind(ProbeKind):
    """A page, or the speed of a download if the path is /bytes/N (see `testbed.internet.web`)."""

    scheme: ClassVar[str] = "http"
    form: ClassVar[str] = "http://NAME/"
    transport: ClassVar[str] = "http"
    port: ClassVar[int] = 80
    most: ClassVar[int] = 1 << 30  # bytes of a download: what the world's servers send at most

    def fault(self, target: Target) -> Fault | None:
        """A download says how much: a server's refusal would look like a page."""
        number = target.path.partition("?")[0].removeprefix(_BYTES)
        if not self.bulk(target) or not target.path.startswith(_BYTES):
            return super().fault(target)
        if number.isascii() and number.isdecimal() and len(number) <= 20 and int(number) <= self.most:
            return super().fault(target)
        return f"{target.url!r} does not say how much to download", f"write /bytes/N, N from 0 to {self.most}"

    def bulk(self, target: Target) -> bool:
        """A download of so many bytes."""
        return target.path.startswith(_BYTES)

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(connection, target)
