"""Through a SOCKS or HTTP proxy."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class Proxied(ClientWay):
    """Through a proxy, which resolves the names; its host may be `server`, the recipe's own.

    Its URL says which kind: SOCKS 5 (`socks5://`), or HTTP by CONNECT (`http://`).
    """

    key: ClassVar[str] = "proxy"

    url: str = "socks5://127.0.0.1:1080"

    @property
    def proxy(self) -> str:
        """Its URL."""
        return self.url
