"""Through an HTTP proxy."""

from dataclasses import dataclass
from typing import ClassVar

from testbed.model.clientway import ClientWay


@dataclass(frozen=True, slots=True)
class HttpProxy(ClientWay):
    """Through an HTTP proxy by CONNECT, which resolves the names; its host may be `server`."""

    key: ClassVar[str] = "proxy"

    url: str = "http://127.0.0.1:8080"

    @property
    def proxy(self) -> str:
        """Its URL."""
        return self.url
