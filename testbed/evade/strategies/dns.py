"""dns: another resolver than the operator's is asked for the server's address, over TCP, TLS or HTTPS.

An operator's resolver that lies is not asked, and over TLS and HTTPS nobody on the way reads the question. A
box that reads the ClientHello is not deceived: the connection's own packets stay as they are.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from testbed.evade.resolverurl import AskedResolver
from testbed.evade.strategy import OtherLookup

_USUAL: Final = "tls://dns.quad9.net"  # our choice


@dataclass(frozen=True, slots=True)
class OtherDns(OtherLookup):
    """`dns:udp://9.9.9.9`, `dns:tcp://8.8.8.8`, `dns:tls://dns.quad9.net`, `dns:https://dns.quad9.net/dns-query`."""

    key: ClassVar[str] = "dns"

    @property
    def resolver(self) -> AskedResolver:
        """ValueError for what is no such URL."""
        return AskedResolver.read(self.value or _USUAL)
