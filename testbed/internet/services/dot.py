"""An open resolver over TLS (DoT, RFC 7858)."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Certified, Listener, Place, PortNumber, ReportReady, Service


@dataclass(frozen=True, slots=True)
class Dot(Service):
    """DNS over TLS."""

    key: ClassVar[str] = "dot"
    certificate: ClassVar[Certified] = "names and addresses"
    late: ClassVar[bool] = True

    port: PortNumber = 853

    def ports(self) -> tuple[Listener, ...]:
        """TCP."""
        return (("tcp", self.port),)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Answer from the world's names."""
        from testbed.internet.dns import serve_sockets, truth
        from testbed.internet.web import tls_context

        assert place.certificate is not None
        respond = truth(place.zone().seen_from(place.addresses[0]))
        context = tls_context(place.certificate, "dot")
        await serve_sockets((), place.sockets["tcp", self.port], respond, ready, context)
