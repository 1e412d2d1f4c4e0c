"""Which resolver is asked, and over what, as it is written in a URL. Pure."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"udp": 53, "tcp": 53, "tls": 853, "https": 443}
_FORMS: Final = "write dns:tcp://8.8.8.8, dns:tls://dns.quad9.net or dns:https://dns.quad9.net/dns-query"


@dataclass(frozen=True, slots=True)
class AskedResolver:
    """Where a resolver is, and how it is asked. Its own name is asked of the system's."""

    scheme: str
    host: str
    port: int
    path: str = ""  # over HTTPS

    @classmethod
    def read(cls, url: str) -> "AskedResolver":
        """Of its URL; ValueError with what may be written."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if not host or parts.scheme not in _PORTS:
            raise ValueError(_FORMS)
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], parts.path or "/dns-query")
