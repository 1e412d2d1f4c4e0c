"""Through a SOCKS proxy."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class SocksProxy(ClientWay):
    """Through a SOCKS 5 proxy, which resolves the names; its host may be `server`, the recipe's own."""

    key: ClassVar[str] = "proxy"

    url: str = "socks5://127.0.0.1:1080"

    @property
    def proxy(self) -> str:
        """Its URL."""
        return self.url
