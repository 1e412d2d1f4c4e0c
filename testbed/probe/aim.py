"""A target's URL taken apart into what the probe needs to know."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from testbed.errors import InputError

Kind = Literal["https", "http", "h3", "dns"]
FORMS = "https://name/path, http://name/path, h3://name/path, put+https://name/upload?bytes=N, dns://resolver/name"
OWN_RESOLVER = "resolver"  # dns://resolver/name asks the vantage's own; any other name is looked up first
_PORTS = {"https": 443, "http": 80, "h3": 443, "dns": 53}
_MOST_UPLOAD = 100_000_000  # bytes; our choice, bounds memory and time


@dataclass(frozen=True, slots=True)
class Aim:
    """One target. `host` is a name or an address; for dns it is the resolver and `name` the question."""

    url: str
    kind: Kind
    host: str
    port: int
    path: str = "/"
    name: str = ""  # dns only: the name asked for
    tcp: bool = False  # dns only: ask over TCP
    upload: int = 0  # bytes to send by PUT, 0 for a GET

    @property
    def literal(self) -> bool:
        """Whether `host` is an address, so that nothing needs to be resolved."""
        return is_address(self.host)

    @property
    def bulk(self) -> bool:
        """Whether the target measures speed: /bytes/N or an upload."""
        return bool(self.upload) or self.path.startswith("/bytes/")

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        text = spelled(self.host, self.port)
        return text if self.port != _PORTS[self.kind] else text.rpartition(":")[0]


def spelled(address: str, port: int) -> str:
    """Address and port as one text: "8.8.8.8:53", "[2001:db8::1]:53"."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def parse(url: str) -> Aim:
    """Take `url` apart; InputError if it is none of `FORMS`."""
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError as error:
        raise InputError.at("target", f"{url!r} is not a URL ({error})", f"write one of {FORMS}") from None
    verb, _, plain = scheme.rpartition("+")
    upload = verb == "put" and plain in {"https", "http"}
    if scheme == "dns+tcp":
        verb, plain = "", "dns"
    if not host or plain not in _PORTS or (verb and not upload):
        raise InputError.at("target", f"cannot measure {url!r}", f"write one of {FORMS}")
    kind: Kind = plain  # type: ignore[assignment]
    number = port or _PORTS[kind]
    if kind == "dns":
        return _dns(url, host, number, parts.path.strip("/"), tcp=scheme == "dns+tcp")
    if upload:
        return Aim(url, kind, host, number, parts.path or "/", upload=_size(url, parts.query))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Aim(url, kind, host, number, path)


def _dns(url: str, host: str, port: int, name: str, *, tcp: bool) -> Aim:
    if not name:
        raise InputError.at("target", f"{url!r} asks for no name", "write dns://8.8.8.8/twitter.com")
    return Aim(url, "dns", host, port, name=name, tcp=tcp)


def _size(url: str, query: str) -> int:
    text = parse_qs(query).get("bytes", [""])[0]
    if not text.isdecimal() or not 0 < int(text) <= _MOST_UPLOAD:
        remedy = f"end it with ?bytes=N, N from 1 to {_MOST_UPLOAD}"
        raise InputError.at("target", f"{url!r} does not say how much to upload", remedy)
    return int(text)
