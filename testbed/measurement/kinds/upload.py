"""put+https://NAME/upload?bytes=N and put+http://…: the speed of an upload."""

from dataclasses import replace
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from testbed.measurement.kinds.http import HttpKind
from testbed.measurement.target import Fault, Steps, Target

MOST = 100_000_000  # bytes; our choice, bounds memory and time


class UploadHttpKind(HttpKind):
    """A PUT of so many bytes over plain HTTP/1.1."""

    scheme: ClassVar[str] = "put+http"
    form: ClassVar[str] = "put+http://NAME/upload?bytes=N"

    def fault(self, target: Target) -> Fault | None:
        """The number of bytes is part of the URL."""
        if size_of(target):
            return super().fault(target)
        return (
            f"{target.url!r} does not say how much to upload",
            f"end it with ?bytes=N, N from 1 to {MOST}",
        )

    def bulk(self, target: Target) -> bool:
        """Always."""
        return True

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(connection, _resource(target), upload=size_of(target))


class UploadHttpsKind(UploadHttpKind):
    """The same over TLS."""

    scheme: ClassVar[str] = "put+https"
    form: ClassVar[str] = "put+https://NAME/upload?bytes=N"
    transport: ClassVar[str] = "tls"
    port: ClassVar[int] = 443

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, TCP, TLS, HTTP."""
        with steps.connect(target) as connection:
            steps.fetch(steps.secure(connection, target.host), _resource(target), upload=size_of(target))


def _resource(target: Target) -> Target:
    """The target as it is requested: the number of bytes is for the probe alone."""
    return replace(target, path=target.path.partition("?")[0])


def size_of(target: Target) -> int:
    """Bytes to upload; 0 if the URL gives no number from 1 to `MOST`."""
    text = parse_qs(urlsplit(target.path).query).get("bytes", [""])[0]
    return int(text) if text.isdecimal() and len(text) <= len(str(MOST)) and int(text) <= MOST else 0
