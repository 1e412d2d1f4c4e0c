"""The sites of the far side: each on its own two addresses, over HTTP/1.1, HTTP/2 and HTTP/3."""

import select
from collections.abc import Sequence
from dataclasses import replace
from socket import socket
from typing import NoReturn

from testbed.internet.authority import Authority, self_signed
from testbed.internet.pages import site_pages
from testbed.internet.service import Ready, Serve, run_service, run_together
from testbed.internet.sockets import stream_socket, udp_socket
from testbed.internet.web import WebServer, serve_web
from testbed.scenario.model import World

HTTP, HTTPS = 80, 443
WARM_UP = 1.0  # seconds: our choice


def serve_sites(world: World, authority: Authority, ready: Ready) -> NoReturn:
    """Serve every site of `world` until SIGTERM. Call it in the namespace that has the addresses.

    A site has one certificate for all its names and shows it to whoever asks, under any name or none.
    """
    servers = site_servers(world, authority)
    quic = [socket for server in servers for socket in server.quic]
    run_together(
        {
            "web": lambda ready: run_service(lambda ready: serve_web(over_tcp(servers), ready), ready),
            "http3": lambda ready: serve_when_wanted(
                quic, lambda ready: serve_web(over_quic(servers), ready), ready
            ),
        },
        ready,
    )


def site_servers(world: World, authority: Authority) -> list[WebServer]:
    """One server per site, its sockets open."""
    servers = []
    for site in world.sites:
        addresses = (site.ipv4, site.ipv6)
        servers.append(
            WebServer(
                site_pages(site),
                authority.files_for(site.names) if site.certificate == "trusted" else self_signed(site.names),
                plain=[stream_socket(address, HTTP) for address in addresses],
                secure=[stream_socket(address, HTTPS) for address in addresses],
                quic=[udp_socket(address, HTTPS) for address in addresses],
            )
        )
    return servers


def over_tcp(servers: Sequence[WebServer]) -> list[WebServer]:
    """The same servers without HTTP/3, which is heavy Python and runs in a process of its own."""
    return [replace(server, quic=()) for server in servers]


def over_quic(servers: Sequence[WebServer]) -> list[WebServer]:
    """The same servers with HTTP/3 alone."""
    return [replace(server, plain=(), secure=()) for server in servers]


def serve_when_wanted(waiting: Sequence[socket], serve: Serve, ready: Ready) -> NoReturn:
    """Run `serve` until SIGTERM, but only once something arrives at `waiting`, or start-up is over.

    Loading HTTP/3 takes 300 ms of a processor that the world is being built on. Until then what arrives waits
    in the sockets, and nothing is lost.
    """
    ready()
    select.select(waiting, [], [], WARM_UP)
    run_service(serve, lambda: None)
