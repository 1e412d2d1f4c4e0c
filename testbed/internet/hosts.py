"""The hosts of the far side: which services each runs, and their sockets, certificates and names."""

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from socket import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from testbed.internet.authority import AGE, LEAF_LIFE, Authority, leaf_of, self_signed
from testbed.internet.services.base import Place
from testbed.internet.services.dns import Dns
from testbed.internet.services.doh import Doh
from testbed.internet.services.dot import Dot
from testbed.internet.services.http3 import Http3
from testbed.internet.services.stun import Stun
from testbed.internet.services.web import Web
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.model import Host, HostService, Site, World
from testbed.model.parsed import parsed_address

if TYPE_CHECKING:
    from testbed.internet.zone import Zone

OTHER_NAME = "default-host.example"  # whom a certificate with a wrong name is for
_OPEN = {"tcp": stream_socket, "udp": udp_socket}


@dataclass(frozen=True, slots=True)
class Opened:
    """A service whose sockets are open."""

    service: HostService
    place: Place

    @property
    def sockets(self) -> list[socket]:
        """All of them."""
        return [each for some in self.place.sockets.values() for each in some]


def far_hosts(world: World) -> list[Host]:
    """Sites and public resolvers of `world`, each with the services that it runs."""
    resolvers = [
        Host(one.name, one.names, one.ipv4, one.ipv6, one.asn, one.country, services=(Dns(), Dot(), Doh()))
        for one in world.resolvers
    ]
    return [*(_site(site, world) for site in world.sites), *resolvers]


def _site(site: Site, world: World) -> Host:
    """A site as a host. Where an operator's redirects lead, there is its block page, and no HTTP/3."""
    places = {urlsplit(operator.block_page).hostname: operator.block_body for operator in world.operators}
    block_body = next((places[name] for name in (*site.names, site.ipv4) if name in places), "")
    web = (Web(),) if block_body else (Web(), Http3())
    return Host(
        site.name,
        site.names,
        tuple(address for address in site.addresses if ":" not in address),
        tuple(address for address in site.addresses if ":" in address),
        site.asn,
        site.country,
        certificate=site.certificate,
        services=web if site.stun is None else (Stun(site.stun),),
        behaviour=site.behaviour,
        https_record=site.https_record,
        ech=site.ech,
        block_body=block_body,
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the servers of a host know of their world."""

    zone: "Callable[[], Zone]"  # the names, read when they are first needed: dnspython takes 80 ms to load
    country_of: Callable[[str], str]  # the country of an address; "" if no operator or host has it


def surroundings(world: World) -> Surroundings:
    """Those of every host of `world`."""

    @cache
    def zone() -> "Zone":
        from testbed.internet.zone import Zone

        return Zone.from_world(world)

    networks = [
        (prefix, operator.country)
        for operator in world.operators
        for prefix in (operator.prefix4, operator.prefix6)
    ]
    abroad = {parsed_address(text): host.country for host in world.hosts for text in (*host.ipv4, *host.ipv6)}

    def country_of(text: str) -> str:
        address = parsed_address(text)
        within = (country for prefix, country in networks if address in prefix)
        return abroad.get(address) or next(within, "")

    return Surroundings(zone, country_of)


def open_service(
    service: HostService,
    host: Host,
    addresses: Sequence[str],
    certificate: tuple[str, str] | None,
    around: Surroundings,
) -> Opened:
    """One service of `host` with its sockets open. Errors: OSError naming address and port."""
    sockets = {
        (transport, port): tuple(_OPEN[transport](address, port) for address in addresses)
        for transport, port in service.ports()
    }
    if host.behaviour.resets or host.behaviour.silent:
        from testbed.internet.overload import overloaded

        sockets = {
            listener: tuple(overloaded(each, host.behaviour) for each in some)
            for listener, some in sockets.items()
        }
    if host.behaviour.window or host.behaviour.mss:
        from testbed.internet.window import limit_clients

        tcp = [each for (transport, _), some in sockets.items() if transport == "tcp" for each in some]
        limit_clients(tcp, host.behaviour)
    place = Place(host, tuple(addresses), sockets, certificate, around.zone, country_of=around.country_of)
    return Opened(service, place)


def certificate_of(host: Host, addresses: Sequence[str], authority: Authority) -> tuple[str, str]:
    """The certificate of `host` as PEM (chain, key), with the fault it has.

    For its names, its services' `names_besides` and `addresses`.
    """
    names = (*host.names, *(name for one in host.services for name in one.names_besides()))
    match host.certificate:
        case "self-signed":
            return self_signed(names or addresses)
        case "expired":
            return authority.certificate_for(names, addresses, age=LEAF_LIFE + AGE)
        case "wrong-name":
            return authority.certificate_for([OTHER_NAME])
        case "unknown-authority":
            return Authority.create().certificate_for(names, addresses)
        case "incomplete":
            chain, key = authority.certificate_for(names, addresses)
            return leaf_of(chain), key
    return authority.certificate_for(names, addresses)


def by_address(host: Host) -> bool:
    """Whether the certificate of `host` is for its addresses, too: a resolver's is, a site's is not."""
    return not host.names or any(one.certificate == "names and addresses" for one in host.services)


class LaterCertificate:
    """The certificate that a host's services need, made when the first of them begins.

    A host has one certificate for all its names and shows it to whoever asks, under any name or none. Its
    services may be in several processes: the files are there before these are forked, and are filled once.
    """

    def __init__(self, host: Host, addresses: Sequence[str], authority: Authority) -> None:
        self._host, self._authority = host, authority
        needed = {service.certificate for service in host.services} - {"no"}
        self._addresses = addresses if by_address(host) else ()
        self._files = [os.memfd_create("pem") for _ in range(2)] if needed else []

    @property
    def files(self) -> tuple[str, str] | None:
        """Chain and key (PEM), of this process and those it forks; None if no service needs them."""
        if not self._files:
            return None
        chain, key = (f"/proc/self/fd/{one}" for one in self._files)
        return chain, key

    def make(self) -> None:
        """Fill the files, unless that has been done here or in another process."""
        if not self._files:
            return
        fcntl.lockf(self._files[0], fcntl.LOCK_EX)  # a process's own, also where the file is inherited
        try:
            if not os.fstat(self._files[0]).st_size:
                made = certificate_of(self._host, self._addresses, self._authority)
                for file, text in zip(self._files, made, strict=True):
                    os.write(file, text.encode())
        finally:
            fcntl.lockf(self._files[0], fcntl.LOCK_UN)
