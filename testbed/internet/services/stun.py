"""STUN (RFC 8489): tells clients the address and port from which their requests come, over UDP."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service


@dataclass(frozen=True, slots=True)
class Stun(Service):
    """Binding requests alone, which need no authentication."""

    key: ClassVar[str] = "stun"

    port: PortNumber = 3478

    def ports(self) -> tuple[Listener, ...]:
        """UDP."""
        return (("udp", self.port),)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Answer each request."""
        from testbed.internet.stun import binding_response
        from testbed.internet.transports import new_failure, serve_datagrams

        failure = new_failure()
        await serve_datagrams(place.sockets["udp", self.port], binding_response, failure)
        ready()
        await failure
