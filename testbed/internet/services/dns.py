"""An open resolver over UDP and TCP. It answers truthfully about every name of the world."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service


@dataclass(frozen=True, slots=True)
class Dns(Service):
    """DNS in plain text."""

    key: ClassVar[str] = "dns"

    port: PortNumber = 53

    def ports(self) -> tuple[Listener, ...]:
        """UDP and TCP."""
        return ("udp", self.port), ("tcp", self.port)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Answer from the world's names."""
        from testbed.internet.dns import serve_sockets, truth

        respond = truth(place.zone().seen_from(place.addresses[0]))
        await serve_sockets(place.sockets["udp", self.port], place.sockets["tcp", self.port], respond, ready)
