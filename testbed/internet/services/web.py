"""A web server: HTTP/1.1, and HTTP/1.1 and HTTP/2 over TLS. Its pages: `/`, `/bytes/N`, `/upload`."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Certified, Listener, Place, PortNumber, ReportReady, Service
from testbed.internet.services.http3 import Http3


@dataclass(frozen=True, slots=True)
class Web(Service):
    """HTTP/1.1 and HTTP/2 over TCP."""

    key: ClassVar[str] = "web"
    certificate: ClassVar[Certified] = "names"

    http: PortNumber | None = 80  # None: no plain HTTP
    https: PortNumber | None = 443  # None: no TLS

    def ports(self) -> tuple[Listener, ...]:
        """TCP, one port for each of the two."""
        return tuple(("tcp", port) for port in (self.http, self.https) if port is not None)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Serve the pages of the host under every name, with one certificate for all of them."""
        from testbed.internet.behaviour import behaving
        from testbed.internet.pages import host_pages
        from testbed.internet.web import WebServer, serve_web

        assert place.certificate is not None
        server = WebServer(
            behaving(host_pages(place.host, place.addresses), place.host, place.country_of),
            place.certificate,
            plain=place.sockets.get(("tcp", self.http or 0), ()),
            secure=place.sockets.get(("tcp", self.https or 0), ()),
            http3_port=next((s.port for s in place.host.services if isinstance(s, Http3)), None),
            skips_ccs=place.host.behaviour.skips_ccs,
        )
        await serve_web(server, ready)
