"""The whole far side: sites and public resolvers."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from socket import socket
from typing import NoReturn

from testbed.internet.authority import Authority
from testbed.internet.service import Ready, run_service, run_together
from testbed.internet.sites import HTTPS, over_quic, over_tcp, serve_when_wanted, site_servers
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.internet.web import CIPHERS, WebServer, serve_web
from testbed.scenario.model import PublicResolver, World

DNS_OVER_TLS = 853


def serve_far_side(world: World, authority: Authority, ready: Ready) -> NoReturn:
    """Serve the sites and the public resolvers of `world` until SIGTERM. Call it in the far namespace.

    Three processes: what every run uses, web and DNS, side by side; what few use, when it is wanted.
    """
    sites = site_servers(world, authority)
    encrypted = [_Encrypted.open(resolver, authority) for resolver in world.resolvers]
    run_together(
        {
            "web": lambda ready: run_service(lambda ready: serve_web(over_tcp(sites), ready), ready),
            "dns": lambda ready: _serve_plain_dns(world, ready),
            "http3 and encrypted dns": lambda ready: _serve_late(world, over_quic(sites), encrypted, ready),
        },
        ready,
    )


@dataclass(frozen=True)
class _Encrypted:
    """The encrypted services of one resolver: sockets by what they are for."""

    resolver: PublicResolver
    certificate: tuple[str, str]  # files of the chain and the key
    tls: Sequence[socket]  # in the order of its addresses
    https: Sequence[socket]
    quic: Sequence[socket]

    @classmethod
    def open(cls, resolver: PublicResolver, authority: Authority) -> "_Encrypted":
        addresses = (*resolver.ipv4, *resolver.ipv6)
        return cls(
            resolver,
            authority.files_for([resolver.name], addresses),
            tls=[stream_socket(address, DNS_OVER_TLS) for address in addresses],
            https=[stream_socket(address, HTTPS) for address in addresses],
            quic=[udp_socket(address, HTTPS) for address in addresses],
        )


def _serve_plain_dns(world: World, ready: Ready) -> NoReturn:
    from testbed.internet.dns import Zone, serve_dns, truth  # 80 ms: only who answers pays

    zone = Zone.from_world(world)
    answers = {
        address: truth(zone.seen_from(resolver.ipv4[0] if resolver.ipv4 else ""))
        for resolver in world.resolvers
        for address in (*resolver.ipv4, *resolver.ipv6)
    }
    run_service(lambda ready: serve_dns(answers, ready), ready)


def _serve_late(
    world: World, sites: Sequence[WebServer], encrypted: Sequence[_Encrypted], ready: Ready
) -> NoReturn:
    waiting = [s for site in sites for s in site.quic]
    waiting += [s for one in encrypted for s in (*one.tls, *one.https, *one.quic)]
    serve_when_wanted(waiting, lambda ready: _serve_encrypted(world, sites, encrypted, ready), ready)


async def _serve_encrypted(
    world: World, sites: Sequence[WebServer], encrypted: Sequence[_Encrypted], ready: Ready
) -> None:
    from testbed.internet.dns import Zone, serve_tcp, truth
    from testbed.internet.doh import resolver_pages

    zone = Zone.from_world(world)
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    servers = list(sites)
    for one in encrypted:
        answer = truth(zone.seen_from(one.resolver.ipv4[0] if one.resolver.ipv4 else ""))
        context = _tls_context(one.certificate)
        for listening in one.tls:
            await serve_tcp(listening, answer, failure, context)
        pages = resolver_pages(one.resolver.name, answer)
        servers.append(WebServer(pages, one.certificate, secure=one.https, quic=one.quic))
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_web(servers, ready))
        group.create_task(_raise(failure))


async def _raise(failure: "asyncio.Future[None]") -> None:
    await failure


def _tls_context(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["dot"])
    context.load_cert_chain(*certificate)
    return context
