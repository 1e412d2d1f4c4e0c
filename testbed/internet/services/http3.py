"""A web server over QUIC: HTTP/3, with the same pages as `web`."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Certified, Listener, Place, PortNumber, ReportReady, Service


@dataclass(frozen=True, slots=True)
class Http3(Service):
    """HTTP/3. Loading it takes 300 ms of a processor, so that it waits for its first datagram."""

    key: ClassVar[str] = "http3"
    certificate: ClassVar[Certified] = "names"
    late: ClassVar[bool] = True

    port: PortNumber = 443

    def ports(self) -> tuple[Listener, ...]:
        """UDP alone; `web` announces it in Alt-Svc."""
        return (("udp", self.port),)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Serve the pages of the host under every name."""
        from testbed.internet.behaviour import behaving
        from testbed.internet.pages import host_pages
        from testbed.internet.web import WebServer, serve_web

        assert place.certificate is not None
        server = WebServer(
            behaving(host_pages(place.host, place.addresses), place.host, place.country_of),
            place.certificate,
            quic=place.sockets["udp", self.port],
            http3_port=self.port,
            quic_draft_29=place.host.behaviour.quic_draft_29,
        )
        await serve_web(server, ready)
