"""How a client goes to a target by another way than its own system would: values, and their URLs. Pure."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

PROXIES = {"socks5": 1080, "http": 8080}
RESOLVERS = {"udp": 53, "tcp": 53, "tls": 853, "https": 443}
PROXY_FORMS = "socks5://127.0.0.1:1080, http://127.0.0.1:8080"
RESOLVER_FORMS = "udp://9.9.9.9, tcp://8.8.8.8, tls://dns.quad9.net, https://dns.quad9.net/dns-query"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a proxy or a resolver is, and how one speaks to it."""

    scheme: str
    host: str  # a name or an address
    port: int
    path: str = ""  # of DoH


@dataclass(frozen=True, slots=True)
class Passage:
    """How the probe goes; the default is the direct way. ValueError for a URL that is none of these."""

    resolver: str = ""  # whom it asks for names, and over what: `RESOLVER_FORMS`
    proxy: str = ""  # through which it connects, and which then resolves the names: `PROXY_FORMS`
    server_name: str = ""  # what its ClientHello says instead of the target's name
    hello: Literal["", "padded"] = ""  # padded: longer than a segment
    # decoy: a datagram that is no QUIC before the first Initial; draft-29: the version of that draft
    quic: Literal["", "decoy", "draft-29"] = ""

    def __post_init__(self) -> None:
        _ = self.proxy_at, self.resolver_at

    @property
    def proxy_at(self) -> Endpoint | None:
        """The proxy, None without one."""
        return _endpoint(self.proxy, PROXIES, PROXY_FORMS) if self.proxy else None

    @property
    def resolver_at(self) -> Endpoint | None:
        """The resolver, None for the system's own."""
        found = _endpoint(self.resolver, RESOLVERS, RESOLVER_FORMS) if self.resolver else None
        if found is not None and found.scheme in ("udp", "tcp"):
            _must_be_address(found.host)
        return found


DIRECT = Passage()


def _endpoint(url: str, ports: dict[str, int], forms: str) -> Endpoint:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}; write such as {forms}") from None
    if parts.scheme not in ports or not host:
        raise ValueError(
            f"{url!r} is none of {', '.join(f'{one}://' for one in ports)}; write such as {forms}"
        )
    return Endpoint(parts.scheme, host, port or ports[parts.scheme], parts.path)


def _must_be_address(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is no address, and a resolver on port 53 has no other name") from None
