"""The hosts of the far side: which services each runs, and their sockets, certificates and names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from testbed.internet.authority import Authority, in_memory, self_signed
from testbed.internet.services.base import Place
from testbed.internet.services.dns import Dns
from testbed.internet.services.doh import Doh
from testbed.internet.services.dot import Dot
from testbed.internet.services.http3 import Http3
from testbed.internet.services.web import Web
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.model import Host, HostService, World

if TYPE_CHECKING:
    from testbed.internet.zone import Zone

_OPEN = {"tcp": stream_socket, "udp": udp_socket}


@dataclass(frozen=True, slots=True)
class Opened:
    """A service whose sockets are open."""

    service: HostService
    place: Place


def far_hosts(world: World) -> list[Host]:
    """Sites and public resolvers of `world`, each with the services that it runs."""
    sites = [
        Host(
            site.name,
            site.names,
            (site.ipv4,),
            (site.ipv6,),
            site.asn,
            site.country,
            certificate=site.certificate,
            services=(Web(), Http3()),
        )
        for site in world.sites
    ]
    resolvers = [
        Host(one.name, (one.name,), one.ipv4, one.ipv6, one.asn, services=(Dns(), Dot(), Doh()))
        for one in world.resolvers
    ]
    return [*sites, *resolvers]


def opened(
    host: Host, addresses: Sequence[str], authority: Authority, zone: "Callable[[], Zone]"
) -> list[Opened]:
    """The services of `host`, their sockets open on its `addresses`. Errors: as `open_service`.

    A host has one certificate for all its names and shows it to whoever asks, under any name or none.
    """
    certificate = _files(host, addresses, authority)
    return [open_service(service, host, addresses, certificate, zone) for service in host.services]


def open_service(
    service: HostService,
    host: Host,
    addresses: Sequence[str],
    certificate: tuple[str, str] | None,
    zone: "Callable[[], Zone]",
) -> Opened:
    """One service of `host` with its sockets open. Errors: OSError naming address and port."""
    sockets = {
        (transport, port): tuple(_OPEN[transport](address, port) for address in addresses)
        for transport, port in service.ports()
    }
    return Opened(service, Place(host, tuple(addresses), sockets, certificate, zone))


def zone_of(world: World) -> "Callable[[], Zone]":
    """The names of `world`, read when they are first needed: dnspython takes 80 ms to load."""

    @cache
    def zone() -> "Zone":
        from testbed.internet.zone import Zone

        return Zone.from_world(world)

    return zone


def certificate_of(host: Host, addresses: Sequence[str], authority: Authority) -> tuple[str, str]:
    """The certificate of `host` as PEM (chain, key), for its names and `addresses`."""
    if host.certificate == "self-signed":
        return self_signed(host.names or addresses)
    return authority.certificate_for(host.names, addresses)


def _files(host: Host, addresses: Sequence[str], authority: Authority) -> tuple[str, str] | None:
    """The certificate that the host's services need, as files of this process and its children."""
    needed = {service.certificate for service in host.services} - {"no"}
    if not needed:
        return None
    by_address = "names and addresses" in needed or not host.names
    chain, key = certificate_of(host, addresses if by_address else (), authority)
    return in_memory(chain), in_memory(key)
