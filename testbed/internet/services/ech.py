"""TLS with Encrypted ClientHello, in front of web servers that have neither."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from testbed.internet.services.base import Certified, Listener, Place, PortNumber, ReportReady, Service

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter


@dataclass(frozen=True, slots=True)
class EchFront(Service):
    """TLS 1.3 with a key for ECH, which DNS publishes with the host's names; the requests go on over HTTP.

    Those for a name of the host itself to its own plain web server, those for a site of the world to that.
    Its certificate has the names of `fronted` sites, as a content network has its customers': a client whose
    hello was taken checks it for the inner name, any other for the outer one (RFC 9849 section 6.1).
    """

    key: ClassVar[str] = "ech"
    certificate: ClassVar[Certified] = "names"

    public_name: str  # what everybody may see: the server name of the outer ClientHello
    port: PortNumber = 443
    onward: PortNumber = 80  # of the web servers behind it
    fronted: tuple[str, ...] = ()  # sites whose names its certificate has

    def ports(self) -> tuple[Listener, ...]:
        """TCP."""
        return (("tcp", self.port),)

    def names_besides(self) -> tuple[str, ...]:
        """Those of the sites that it fronts."""
        return self.fronted

    def published(self) -> str:
        """The ECHConfigList of the host's HTTPS records, base64."""
        from base64 import b64encode

        from testbed.internet.echkeys import EchKey

        return b64encode(EchKey.of(self.public_name).config_list).decode()

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """End TLS, and pass on what was in it. A client that names nothing known is closed."""
        import asyncio

        from testbed.internet.echkeys import EchKey
        from testbed.internet.echserver import Identity, accepted
        from testbed.internet.tls13 import DATA, TlsError
        from testbed.internet.transports import new_failure, serve_streams

        assert place.certificate is not None
        key, identity = EchKey.of(self.public_name), Identity.read(*place.certificate)
        known = dict.fromkeys(place.host.names, place.addresses)
        names = {**place.zone().addresses, **known}

        async def converse(reader: "StreamReader", writer: "StreamWriter") -> None:
            try:
                stream, welcome = await accepted(reader, writer, key, identity)
            except TlsError as error:
                print(f"no handshake: {error}", flush=True)
                return
            name = welcome.hello.name
            print(f"{name or 'no name'}, {'encrypted' if welcome.inner else 'in the open'}", flush=True)
            addresses = names.get(name, ())
            if not addresses:
                return
            behind, ahead = await asyncio.open_connection(addresses[0], self.onward)

            async def inward() -> None:
                while data := await stream.data():
                    ahead.write(data)
                    await ahead.drain()
                ahead.write_eof()

            asking = asyncio.create_task(inward())
            try:
                while data := await behind.read(65536):
                    stream.send(DATA, data)
                    await stream.sent()
                stream.close()
            finally:
                asking.cancel()
                ahead.close()

        failure = new_failure()
        await serve_streams(place.sockets["tcp", self.port], converse, failure)
        ready()
        await failure
