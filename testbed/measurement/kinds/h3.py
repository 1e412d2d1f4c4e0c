"""h3://NAME/: a page over HTTP/3."""

from typing import ClassVar

from testbed.measurement.kinds.http import HttpKind
from testbed.measurement.target import Steps, Target


class H3Kind(HttpKind):
    """The same as `HttpKind`, over QUIC."""

    scheme: ClassVar[str] = "h3"
    form: ClassVar[str] = "h3://NAME/"
    transport: ClassVar[str] = "quic"
    port: ClassVar[int] = 443
    most: ClassVar[int] = 64 << 20
    modules: ClassVar[tuple[str, ...]] = ("aioquic.asyncio.protocol", "aioquic.h3.connection")

    def measure(self, target: Target, steps: Steps) -> None:
        """DNS, QUIC, HTTP."""
        steps.fetch_http3(target)
