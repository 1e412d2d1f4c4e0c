"""An open resolver over HTTPS (DoH, RFC 8484): HTTP/1.1, HTTP/2 and HTTP/3, at `/dns-query`."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Certified, Listener, Place, PortNumber, ReportReady, Service


@dataclass(frozen=True, slots=True)
class Doh(Service):
    """DNS over HTTPS. Every other path is an ordinary web server's."""

    key: ClassVar[str] = "doh"
    certificate: ClassVar[Certified] = "names and addresses"
    late: ClassVar[bool] = True

    port: PortNumber = 443

    def ports(self) -> tuple[Listener, ...]:
        """TCP, and UDP for HTTP/3."""
        return ("tcp", self.port), ("udp", self.port)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Answer from the world's names."""
        from testbed.internet.behaviour import behaving
        from testbed.internet.dns import truth
        from testbed.internet.doh import resolver_pages
        from testbed.internet.web import WebServer, serve_web

        assert place.certificate is not None
        respond = truth(place.zone().seen_from(place.addresses[0]))
        answers = resolver_pages((*place.host.names, *place.addresses)[0], respond)
        server = WebServer(
            behaving(answers, place.host, place.country_of),
            place.certificate,
            secure=place.sockets["tcp", self.port],
            quic=place.sockets["udp", self.port],
            http3_port=self.port,
        )
        await serve_web(server, ready)
